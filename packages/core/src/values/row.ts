/** A value of a row: INTEGER, REAL, TEXT, BLOB or NULL. */
export type SqlValue = null | number | bigint | string | Buffer;

/** A row as an object, one property per column. */
export type ObjectRow = Record<string, SqlValue>;

/**
 * Row factory for plain objects with one property per column. If columns have the same name, the last one wins.
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
