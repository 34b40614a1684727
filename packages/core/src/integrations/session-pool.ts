import type { CallOptions } from "../options/connect-options.js";
import type { RunResult } from "../connection/run-result.js";
import type { Parameters } from "../values/bind.js";

/** What reads: the pool, and the snapshot of its `read()`. */
export interface SessionReader {
  /** All rows, as objects. */
  all<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  /** Rows as they are wanted. */
  iterate<R>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterable<R>;
}

/** What a query builder uses of a pool. */
export interface SessionPool extends SessionReader {
  /** Writes. */
  run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult>;
  /** A connection to oneself, until it is stopped. */
  acquire(options: { mode: "write"; signal?: AbortSignal | undefined }): Promise<SessionLease>;
  /** Takes no further calls, and resolves when those that were made are over. */
  close(): Promise<void>;
}

/** What runs the statements of a connection that the pool lends: the connection, and a transaction on it. */
export interface SessionStatements {
  cursor(): Promise<SessionCursor>;
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<SessionCursor>;
  executeFetchall<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  /** Turns a switch of the handle on or off. Only with the native companion. */
  setconfig?(op: number, enable: boolean): Promise<void>;
}

/** What a query builder uses of a connection that the pool lends. */
export interface SessionLease extends SessionStatements {
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  rowFactory: unknown;
  /** Commits when `fn` returns, rolls back when it throws. */
  transaction<T>(fn: (tx: SessionStatements) => Promise<T>, options: { mode: TransactionMode }): Promise<T>;
  stop(): Promise<void>;
}

/** Which BEGIN. */
export type TransactionMode = "deferred" | "immediate" | "exclusive";

/** What a query builder uses of a cursor. */
export interface SessionCursor {
  readonly rowcount: number;
  readonly lastrowid: number | bigint | null;
  readonly description: readonly unknown[] | null;
  iterChunkSize: number;
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<unknown>;
  fetchall<R>(options?: CallOptions): Promise<R[]>;
  fetchmany<R>(size: number, options?: CallOptions): Promise<R[]>;
  close(): Promise<void>;
}
