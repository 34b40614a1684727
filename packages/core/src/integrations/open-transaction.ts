import type { CallOptions } from "../options/connect-options.js";
import type { Parameters } from "../values/bind.js";
import type { SessionCursor, SessionLease, SessionStatements, TransactionMode } from "./session-pool.js";

/** A transaction on a lease: its statements are refused once SQLite has rolled it back. */
export class OpenTransaction implements SessionStatements {
  /** Begun by a query builder, which also ends it, or by a statement of the user's. */
  readonly by: "builder" | "statement";
  /** Names of the savepoints, the outermost first, where that is what began it. */
  savepoints: string[] | null = null;
  readonly #tx: SessionStatements;
  readonly #done: Promise<void>;
  readonly #end: PromiseWithResolvers<void>;
  /** It was to be committed: whether it could be is known, and there is nothing to roll back. */
  #committing = false;

  private constructor(
    by: "builder" | "statement",
    tx: SessionStatements,
    done: Promise<void>,
    end: PromiseWithResolvers<void>,
  ) {
    this.by = by;
    this.#tx = tx;
    this.#done = done;
    this.#end = end;
  }

  static async begin(
    lease: SessionLease,
    mode: TransactionMode,
    by: "builder" | "statement",
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
    // Later failures are for those who wait for its end.
    done.catch(begun.reject);
    return new OpenTransaction(by, await begun.promise, done, end);
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

  /** Rolls back; nobody waits for it. */
  abandon(): void {
    this.#end.reject(UNDONE);
  }
}

/** Ends a transaction that is to be rolled back. */
const UNDONE = new Error("rolled back");
