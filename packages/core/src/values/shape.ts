import type { Origins } from "@sqlite-aio/worker/wire";

/** Column names, declared types and origins of a statement's rows. */
export interface Shape {
  readonly names: readonly string[];
  readonly types: readonly (string | null)[];
  readonly origins: Origins;
}

/** A column of a result: null where it is an expression. */
export interface ColumnInfo {
  /** As the result names it. */
  readonly name: string;
  /** The column that it comes from, under its own name. */
  readonly column: string | null;
  /** The table of that. */
  readonly table: string | null;
  /** The database of that: `main`, `temp` or the name of an attached one. */
  readonly database: string | null;
  /** As declared. */
  readonly type: string | null;
}

/** The columns of a shape. */
export function columnsOf({ names, types, origins }: Shape): ColumnInfo[] {
  return names.map((name, c) => ({
    name,
    column: origins[3 * c + 2] ?? null,
    table: origins[3 * c + 1] ?? null,
    database: origins[3 * c] ?? null,
    type: types[c] ?? null,
  }));
}
