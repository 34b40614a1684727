import { inspect } from "node:util";

/**
 * A row as CPython's `sqlite3.Row`: `row[0]`, `row.name` and `row["NAME"]` are its values, whatever the case of ASCII letters; of
 * columns with the same name the first is meant. What is not a column is `undefined`; `get()` throws for it.
 */
export interface SqliteRow extends Iterable<unknown> {
  readonly [index: number]: unknown;
  // oxlint-disable-next-line typescript/no-explicit-any -- only the caller knows the types of columns
  readonly [column: string]: any;
  /** How many columns there are. */
  readonly length: number;
  /** The names of the columns, in order. */
  keys(): string[];
  /** A value by the index of its column, from the end if that is below zero, or by its name. Throws RangeError for no column. */
  get(column: number | string): unknown;
  /** Whether `other` is such a row, with the same names and the same values. */
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

/** What all rows have; each statement's rows have a prototype in front of it that knows their columns. */
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

/** For the rows of one statement. */
export function sqliteRowMaker(names: readonly string[]): (cells: readonly unknown[]) => SqliteRow {
  const byName = new Map<string, number>();
  for (const [at, name] of names.entries()) if (!byName.has(lower(name))) byName.set(lower(name), at);
  // Asked only for what is no property of the row itself, and so not for its values by index.
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
 * Row factory that gives rows of CPython's kind.
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

/** As SQLite and CPython have it: of ASCII letters only. */
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
