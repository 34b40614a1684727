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
  /** Takes no further calls, and resolves when those that were made are over. */
  close(): Promise<void>;
}
