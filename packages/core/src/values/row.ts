/** A value as it is read: INTEGER, REAL, TEXT, BLOB or NULL. */
export type SqlValue = null | number | bigint | string | Buffer;

/** A row as an object, one property per column. */
export type ObjectRow = Record<string, SqlValue>;

/**
 * Row factory that gives plain objects, one property per column; of columns with the same name the last wins.
 *
 * @example
 * db.rowFactory = Row;
 */
export function Row(
  cursor: { readonly description: readonly (readonly [string, ...unknown[]])[] | null },
  row: readonly unknown[],
): ObjectRow {
  const object: ObjectRow = {};
  const { description } = cursor;
  for (let c = 0; c < row.length; c++) {
    const name = description?.[c]?.[0] ?? String(c);
    // An assignment to __proto__ would set the prototype.
    Object.defineProperty(object, name, {
      value: row[c],
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}
