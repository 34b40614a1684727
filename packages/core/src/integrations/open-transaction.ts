import type { CallOptions } from "../options/connect-options.js";
import type { Parameters } from "../values/bind.js";
import type { Savepoints } from "./savepoints.js";
import type { SessionCursor, SessionLease, SessionStatements, TransactionMode } from "./session-pool.js";

/** A transaction on a lease. Its statements are refused once SQLite has rolled it back. */
export class OpenTransaction implements SessionStatements {
  /** Whether a query builder began it, and also ends it, or a statement of the user. */
  readonly by: "builder" | "statement";
  /** If a savepoint began it. */
  readonly savepoints: Savepoints | null;
  readonly #tx: SessionStatements;
  readonly #done: Promise<void>;
  readonly #end: PromiseWithResolvers<void>;
  /** COMMIT was tried: its result is known, and there is nothing to roll back. */
  #committing = false;

  private constructor(
    by: "builder" | "statement",
    savepoints: Savepoints | null,
    tx: SessionStatements,
    done: Promise<void>,
    end: PromiseWithResolvers<void>,
  ) {
    this.by = by;
    this.savepoints = savepoints;
    this.#tx = tx;
    this.#done = done;
    this.#end = end;
  }

  static async begin(
    lease: SessionLease,
    mode: TransactionMode,
    by: "builder" | "statement",
    savepoints: Savepoints | null,
  ): Promise<OpenTransaction> {
    const begun = Promise.withResolvers<SessionStatements>();
    const end = Promise.withResolvers<void>();
    const done = lease.transaction(
      (tx) => {
        begun.resolve(tx);
        return end.promise;
      },
      { mode },
    );
    // Later errors are reported by the call that ends the transaction.
    done.catch(begun.reject);
    return new OpenTransaction(by, savepoints, await begun.promise, done, end);
  }

  cursor(): Promise<SessionCursor> {
    return this.#tx.cursor();
  }

  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<SessionCursor> {
    return this.#tx.execute(sql, parameters, options);
  }

  executeFetchall<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]> {
    return this.#tx.executeFetchall(sql, parameters, options);
  }

  async setconfig(op: number, enable: boolean): Promise<void> {
    await this.#tx.setconfig?.(op, enable);
  }

  async commit(): Promise<void> {
    this.#committing = true;
    this.#end.resolve();
    await this.#done;
  }

  async rollback(): Promise<void> {
    this.abandon();
    await this.#done.catch((error: unknown) => {
      if (error !== UNDONE && !this.#committing) throw error;
    });
  }

  /** Rolls back without waiting. */
  abandon(): void {
    this.#end.reject(UNDONE);
  }
}

/** Rejects the callback of a transaction to roll it back. */
const UNDONE = new Error("rolled back");
