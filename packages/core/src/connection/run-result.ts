import type { Call } from "../thread/call.js";

/** Result of a pool's `executemany`. */
export interface ManyResult {
  /** Rows changed by all sets together; 0 for statements other than INSERT, UPDATE or DELETE. */
  changes: number;
}

/** Result of `run`, as in better-sqlite3. */
export interface RunResult {
  /** Rows changed by an INSERT, UPDATE or DELETE; 0 for other statements. */
  changes: number;
  /** `last_insert_rowid()` of the connection that ran it; see https://sqlite.org/c3ref/last_insert_rowid.html. */
  lastInsertRowid: number | bigint;
}

/** @internal */
export function runResult(call: Call): RunResult {
  return { changes: Math.max(0, call.changes), lastInsertRowid: call.lastInsertRowid };
}
