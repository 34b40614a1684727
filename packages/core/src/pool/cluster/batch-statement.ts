import type { AnyParameters } from "../../values/bind.js";
import type { ObjectRow } from "../../values/row.js";
import type { RunResult } from "../../connection/run-result.js";

/** A statement of a batch: its text, or its text and values. */
export type BatchStatement =
  | string
  | {
      /** The text of one statement. */
      readonly sql: string;
      /** Its parameters, in an array or an object. */
      readonly values?: AnyParameters | undefined;
    }
  | readonly [sql: string, parameters?: AnyParameters];

/** The result of one statement of a batch. */
export interface BatchResult extends RunResult {
  /** The rows as objects; empty for a statement without rows. */
  rows: ObjectRow[];
}

/** The text and the values of a statement. Throws TypeError. */
export function batchParts(statement: BatchStatement): [sql: string, parameters: object | undefined] {
  if (typeof statement === "string") return [statement, undefined];
  if (Array.isArray(statement)) return [statement[0] as string, statement[1] as object | undefined];
  if (typeof statement === "object" && statement !== null && "sql" in statement) {
    return [statement.sql, statement.values];
  }
  throw new TypeError("batch: a statement is its text, [text, parameters] or { sql, values }");
}
