import type { InStmtArgs, RowsResult } from "@libsql/hrana-client";
import { fromEngine, type IntegerMode, type SqlValue, toBinding } from "@sqlite-aio/worker/wire";
import { factsOf } from "@sqlite-aio/worker/sql";
import { DataError } from "../../errors/errors.js";
import type { ExecuteResult } from "../transaction.js";
import { notAtPrimary } from "./remote-errors.js";
import type { Shape } from "../../values/shape.js";
import { bindParameters } from "../../values/bind.js";
import { makeRows, type RowSettings } from "../../values/row-maker.js";

/** A statement with its values, in the client's form. */
export type RemoteStatement = [sql: string, values: InStmtArgs];

/** The result of a statement at the primary. */
export interface RemoteResult {
  readonly shape: Shape;
  /** Each row as an array in column order. */
  readonly rows: unknown[][];
  readonly changes: number;
  readonly lastInsertRowid: number | bigint;
}

/** Copies the values at once. Throws ProgrammingError, DataError, RangeError or NotSupportedError. */
export function remoteStatement(sql: string, parameters: object | undefined): RemoteStatement {
  const list = factsOf(sql).parameters;
  const values = bindParameters(list, parameters).map((value, index) => outgoing(value, index + 1));
  const { names } = list;
  const isNamed = (name: string | null): boolean => name !== null && !name.startsWith("?");
  if (names === null || !names.some(isNamed)) return [sql, values];
  // The server takes values by name or by index, but not both.
  if (names.every(isNamed))
    return [sql, Object.fromEntries(names.map((name, index) => [name, values[index]!]))];
  throw notAtPrimary("parameters with names beside some without: give all of them names", { sql });
}

function outgoing(value: SqlValue, where: number): Exclude<SqlValue, Buffer> {
  if (typeof value !== "number") return value;
  // SQLite stores NaN as NULL.
  if (Number.isNaN(value)) return null;
  if (!Number.isFinite(value)) {
    throw new DataError(
      `parameter ${where}: ${value} cannot be sent to a server; 9e999 in the SQL text can`,
      {
        code: "SQLITE_MISMATCH",
      },
    );
  }
  return toBinding(value);
}

/** Converts a server's answer, whose integers are bigints. */
export function remoteResult(result: RowsResult, { integers, detectTypes }: RowSettings): RemoteResult {
  // Converters get SQLite's value. The other columns are converted as `integers` says afterwards.
  const mode = detectTypes === 0 ? integers : "bigint";
  const { columnNames, columnDecltypes, affectedRowCount, lastInsertRowid } = result;
  const names = columnNames.map((name) => name ?? "");
  return {
    // The server does not send the origin of columns.
    shape: { names, types: columnDecltypes.map((type) => type ?? null), origins: [] },
    rows: result.rows.map((row) => {
      const cells: unknown[] = new Array(names.length);
      for (let c = 0; c < names.length; c++) cells[c] = incoming(row[c], mode);
      return cells;
    }),
    changes: affectedRowCount,
    lastInsertRowid: fromEngine(lastInsertRowid ?? 0n, integers) as number | bigint,
  };
}

function incoming(value: unknown, mode: IntegerMode): unknown {
  // No instanceof: the buffer may be of another realm.
  if (typeof value === "object" && value !== null) return Buffer.from(value as ArrayBuffer);
  return fromEngine(value as SqlValue, mode);
}

/** The rows as objects, converted as `detectTypes` says. */
export function objectRows<R>({ rows, shape }: RemoteResult, settings: RowSettings): R[] {
  return makeRows({ rows, shape, objects: false }, settings) as R[];
}

/** The result of `execute`. */
export function executed(
  { changes, lastInsertRowid, shape, rows }: RemoteResult,
  firstRow: boolean | undefined,
): ExecuteResult {
  const wanted = firstRow === true ? rows.slice(0, 1) : rows;
  return { changes, lastInsertRowid, columns: shape.names, types: shape.types, rows: wanted };
}
