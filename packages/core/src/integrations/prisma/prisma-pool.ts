import type { RunResult } from "../../connection/run-result.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { Parameters } from "../../values/bind.js";

/** The result of a statement. */
export interface PrismaResult {
  /** Names of the columns, in order. */
  columns: readonly string[];
  /** Declared types of the columns; null for an expression. */
  types: readonly (string | null)[];
  /** The values of each row, in the order of the columns. */
  rows: unknown[][];
}

/** Runs statements: a pool or one of its transactions. */
export interface PrismaExecutor {
  /** Runs a statement. Returns rows as arrays, with the declared types of the columns. */
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaResult>;
  /** Runs a statement that writes. */
  run(sql: string, parameters?: Parameters): Promise<RunResult>;
}

/** The part of a pool that the adapter uses. */
export interface PrismaPool extends PrismaExecutor {
  /** Runs the statements of a script. */
  exec(script: string): Promise<void>;
  /** Commits when `fn` returns. Rolls back when it throws or `signal` is aborted. */
  transaction<T>(
    fn: (tx: PrismaExecutor) => Promise<T>,
    options: { mode: "immediate"; signal: AbortSignal },
  ): Promise<T>;
  /** Exclusive use of a connection, for migrations. */
  acquire(options: { mode: "write" }): Promise<PrismaLease>;
  /** Takes no further calls. Resolves when earlier ones have ended. */
  close(): Promise<void>;
}

/** The part of a cursor that the adapter uses. */
export interface PrismaCursor {
  readonly rowcount: number;
  readonly lastrowid: number | bigint | null;
  columns(): readonly { readonly name: string; readonly type: string | null }[] | null;
  fetchall(): Promise<unknown[]>;
}

/** The part of a connection's transaction that the adapter uses. */
export interface PrismaStatements {
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaCursor>;
}

/** The part of a leased connection that the adapter uses. */
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
