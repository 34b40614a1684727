import type { CallOptions } from "../options/connect-options.js";
import type { RunResult } from "../connection/run-result.js";
import type { Parameters } from "../values/bind.js";

/** The part that reads: of a pool, or of the snapshot of its `read()`. */
export interface SessionReader {
  /** All rows, as objects. */
  all<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  /** Rows, read on demand. */
  iterate<R>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterable<R>;
}

/** The part of a pool that query builders use. */
export interface SessionPool extends SessionReader {
  /** Runs a statement that writes. */
  run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult>;
  /** Exclusive use of a connection, until it is stopped. */
  acquire(options: { mode: "write"; signal?: AbortSignal | undefined }): Promise<SessionLease>;
  /** Takes no further calls. Resolves when earlier ones have ended. */
  close(): Promise<void>;
}

/** Whether it has the calls that all builders need of a pool. */
export function isPool(value: unknown): boolean {
  return hasMethods(value, ["all", "run", "acquire"]);
}

export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}

/** What a program's function opened. Throws TypeError if that is no pool. */
export function opened<P>(pool: P): P {
  if (isPool(pool)) return pool;
  throw new TypeError("the function that opens the pool must give one, as createPool() does");
}

/** The part of a leased connection, or of a transaction on it, that runs statements. */
export interface SessionStatements {
  cursor(): Promise<SessionCursor>;
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<SessionCursor>;
  executeFetchall<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  /** Turns a switch of the handle on or off. Only with the native companion. */
  setconfig?(op: number, enable: boolean): Promise<void>;
}

/** The part of a leased connection that query builders use. */
export interface SessionLease extends SessionStatements {
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  rowFactory: unknown;
  /** Commits when `fn` returns, rolls back when it throws. */
  transaction<T>(fn: (tx: SessionStatements) => Promise<T>, options: { mode: TransactionMode }): Promise<T>;
  stop(): Promise<void>;
}

/** Which BEGIN. */
export type TransactionMode = "deferred" | "immediate" | "exclusive";

/** The part of a cursor that query builders use. */
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
