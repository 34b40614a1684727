import type { RunResult } from "../../connection/run-result.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { Parameters } from "../../values/bind.js";

/** What became of a statement. */
export interface PrismaResult {
  /** Names of the columns, in order. */
  columns: readonly string[];
  /** Their types as declared, null for an expression. */
  types: readonly (string | null)[];
  /** Each in the order of the columns. */
  rows: unknown[][];
}

/** What runs statements: a pool, or a transaction of one. */
export interface PrismaExecutor {
  /** Rows as arrays, with the declared types of their columns. */
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaResult>;
  /** Writes. */
  run(sql: string, parameters?: Parameters): Promise<RunResult>;
}

/** What the adapter uses of a pool. */
export interface PrismaPool extends PrismaExecutor {
  /** Runs the statements of a script. */
  exec(script: string): Promise<void>;
  /** Commits when `fn` returns; rolls back when it throws, or when `signal` is aborted. */
  transaction<T>(
    fn: (tx: PrismaExecutor) => Promise<T>,
    options: { mode: "immediate"; signal: AbortSignal },
  ): Promise<T>;
  /** A connection to oneself, for migrations. */
  acquire(options: { mode: "write" }): Promise<PrismaLease>;
  /** Takes no further calls, and resolves when those that were made are over. */
  close(): Promise<void>;
}

/** What the adapter uses of a cursor. */
export interface PrismaCursor {
  readonly rowcount: number;
  readonly lastrowid: number | bigint | null;
  columns(): readonly { readonly name: string; readonly type: string | null }[] | null;
  fetchall(): Promise<unknown[]>;
}

/** What the adapter uses of a transaction on a connection. */
export interface PrismaStatements {
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaCursor>;
}

/** What the adapter uses of a connection that the pool lends. */
export interface PrismaLease extends PrismaStatements {
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  readonly inTransaction: boolean;
  executescript(script: string, options: { commit: false }): Promise<unknown>;
  rollback(): Promise<void>;
  transaction<T>(
    fn: (tx: PrismaStatements) => Promise<T>,
    options: { mode: "immediate"; signal: AbortSignal },
  ): Promise<T>;
  close(): Promise<void>;
}
