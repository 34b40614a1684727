import { inspect } from "node:util";

/**
 * A row like CPython's `sqlite3.Row`: `row[0]`, `row.name` and `row["NAME"]` give its values; the case of ASCII letters
 * does not matter. If columns have the same name, the first one counts. A name that is no column gives `undefined`;
 * `get()` throws for it.
 */
export interface SqliteRow extends Iterable<unknown> {
  readonly [index: number]: unknown;
  // oxlint-disable-next-line typescript/no-explicit-any -- only the caller knows the types of columns
  readonly [column: string]: any;
  /** Number of columns. */
  readonly length: number;
  /** The names of the columns, in order. */
  keys(): string[];
  /**
   * A value by the index of its column (negative: from the end) or by its name. Throws RangeError if there is no such
   * column.
   */
  get(column: number | string): unknown;
  /** Whether `other` is such a row with equal names and values. */
  equals(other: unknown): boolean;
  /** The values, as an array. */
  toJSON(): unknown[];
}

interface Columns {
  readonly names: readonly string[];
  readonly byName: ReadonlyMap<string, number>;
}

const COLUMNS = Symbol("columns");

type Owned = { readonly [COLUMNS]: Columns } & Record<number, unknown>;

/** The methods of all rows. The rows of one statement also have a prototype that knows their columns. */
const methods = {
  get length(): number {
    return columnsOf(this).names.length;
  },

  keys(): string[] {
    return [...columnsOf(this).names];
  },

  get(column: number | string): unknown {
    const { names, byName } = columnsOf(this);
    if (typeof column !== "number" && typeof column !== "string")
      throw new TypeError("a column is named by a number or a string");
    const at =
      typeof column === "string" ? byName.get(lower(column)) : column < 0 ? column + names.length : column;
    if (at === undefined) throw new RangeError("No item with that key");
    if (!Number.isInteger(at) || at < 0 || at >= names.length) throw new RangeError("index out of range");
    return (this as unknown as Owned)[at];
  },

  equals(other: unknown): boolean {
    if (!isSqliteRow(other)) return false;
    const { names } = columnsOf(this);
    const theirs = other.keys();
    if (theirs.length !== names.length) return false;
    return names.every((name, at) => name === theirs[at] && same((this as unknown as Owned)[at], other[at]));
  },

  toJSON(): unknown[] {
    return [...this];
  },

  *[Symbol.iterator](): Generator {
    const { names } = columnsOf(this);
    for (let at = 0; at < names.length; at++) yield (this as unknown as Owned)[at];
  },

  [inspect.custom](): unknown {
    const { names } = columnsOf(this);
    return Object.fromEntries(names.map((name, at) => [name, (this as unknown as Owned)[at]]));
  },
};

/** A function that makes the rows of one statement. */
export function sqliteRowMaker(names: readonly string[]): (cells: readonly unknown[]) => SqliteRow {
  const byName = new Map<string, number>();
  for (const [at, name] of names.entries()) if (!byName.has(lower(name))) byName.set(lower(name), at);
  // Only reached for properties that the row itself does not have, so not for its values by index.
  const named = new Proxy(methods, {
    get(target, key, row) {
      if (typeof key === "symbol" || key in target) return Reflect.get(target, key, row) as unknown;
      const at = byName.get(lower(key));
      return at === undefined ? undefined : (row as Owned)[at];
    },
    has: (target, key) => key in target || (typeof key === "string" && byName.has(lower(key))),
  });
  const prototype: object = Object.create(named, { [COLUMNS]: { value: { names, byName } } });
  return (cells) => {
    const row: Record<number, unknown> = Object.create(prototype);
    for (let at = 0; at < cells.length; at++) row[at] = cells[at];
    return row as unknown as SqliteRow;
  };
}

/**
 * Row factory for rows like CPython's.
 *
 * @example
 * db.rowFactory = SqliteRow;
 * const row = await db.get<SqliteRow>("SELECT id, name FROM city");
 * if (row !== undefined) console.log(row[0], row.name, row["NAME"], row.keys());
 */
export function SqliteRow(
  cursor: { readonly description: readonly (readonly [string, ...unknown[]])[] | null },
  row: readonly unknown[],
): SqliteRow {
  return sqliteRowMaker((cursor.description ?? []).map(([name]) => name))(row);
}

Object.defineProperty(SqliteRow, Symbol.hasInstance, { value: isSqliteRow });

function isSqliteRow(value: unknown): value is SqliteRow {
  return typeof value === "object" && value !== null && COLUMNS in value;
}

function columnsOf(row: object): Columns {
  return (row as Owned)[COLUMNS];
}

/** As in SQLite and CPython, only ASCII letters change. */
function lower(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function same(left: unknown, right: unknown): boolean {
  if (ArrayBuffer.isView(left) && ArrayBuffer.isView(right)) {
    const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
      Buffer.from(buffer, byteOffset, byteLength);
    return bytes(left).equals(bytes(right));
  }
  // One connection may read an integer as a number and another as a bigint.
  if (typeof left === "bigint" && isInteger(right)) return left === BigInt(right);
  if (typeof right === "bigint" && isInteger(left)) return right === BigInt(left);
  return left === right;
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value);
}
