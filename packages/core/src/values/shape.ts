import type { Origins } from "@sqlite-aio/worker/wire";

/** Column names, declared types and origins of a statement's rows. */
export interface Shape {
  readonly names: readonly string[];
  readonly types: readonly (string | null)[];
  readonly origins: Origins;
}

/** A column of a result. The origin is null for an expression. */
export interface ColumnInfo {
  /** Its name in the result. */
  readonly name: string;
  /** The name of the column that it comes from. */
  readonly column: string | null;
  /** The table of that column. */
  readonly table: string | null;
  /** The database of that table: `main`, `temp` or an attached one. */
  readonly database: string | null;
  /** The declared type. */
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
