import type { Transaction, TransactionOptions } from "@prisma/driver-adapter-utils";
import { quoteName } from "@sqlite-aio/worker/sql";
import type { TimestampFormat } from "./arguments.js";
import { mapped, transactionClosed } from "./mapped-error.js";
import type { AdapterPool } from "./adapter-pool.js";
import type { PrismaExecutor } from "./prisma-pool.js";
import { PrismaQueryable } from "./queryable.js";

/** How to end a transaction of the pool from outside its callback. */
interface Ends {
  /** The promise of the pool's `transaction()`. */
  readonly done: Promise<void>;
  /** The promise that the callback returns. */
  readonly work: PromiseWithResolvers<void>;
  /** Stops the running statement. */
  readonly stop: AbortController;
}

/** An interactive transaction: has the writer from BEGIN IMMEDIATE until Prisma ends it. */
export class PrismaTransaction extends PrismaQueryable implements Transaction {
  /** The pool commits and rolls back; Prisma only logs these statements. */
  readonly options: TransactionOptions = { usePhantomQuery: true };
  readonly #tx: PrismaExecutor;
  readonly #ends: Ends;
  #running = 0;
  #over = false;

  private constructor(tx: PrismaExecutor, format: TimestampFormat, ends: Ends) {
    super(tx, format);
    this.#tx = tx;
    this.#ends = ends;
  }

  static async begin(pool: AdapterPool, format: TimestampFormat): Promise<PrismaTransaction> {
    const begun = Promise.withResolvers<PrismaExecutor>();
    const work = Promise.withResolvers<void>();
    const stop = new AbortController();
    // A deferred transaction that starts to write can meet a lock that no waiting resolves.
    const options = { mode: "immediate", signal: stop.signal } as const;
    const done = pool.transaction((tx) => {
      begun.resolve(tx);
      return work.promise;
    }, options);
    // Later errors are reported by commit() and rollback().
    done.catch(begun.reject);
    return new PrismaTransaction(await begun.promise, format, { done, work, stop });
  }

  /** Resolves when it has ended, however it ends. */
  get ended(): Promise<void> {
    return this.#ends.done.catch(() => {});
  }

  async commit(): Promise<void> {
    this.#over = true;
    this.#ends.work.resolve();
    await super.told(() => this.#ends.done);
  }

  /** Also stops a running statement: Prisma does not wait for it if a transaction has taken too long. */
  async rollback(): Promise<void> {
    this.#over = true;
    const undone = transactionClosed("it was rolled back before the statement was done");
    if (this.#running > 0) this.#ends.stop.abort(undone);
    else this.#ends.work.reject(undone);
    try {
      await this.#ends.done;
    } catch (error) {
      if (error !== undone) throw mapped(error);
    }
  }

  /** Rolls back, unless Prisma has begun to end it. */
  async abandon(): Promise<void> {
    if (!this.#over) await this.rollback();
  }

  async createSavepoint(name: string): Promise<void> {
    await this.#control("SAVEPOINT", name);
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    await this.#control("ROLLBACK TO", name);
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#control("RELEASE", name);
  }

  protected override async told<T>(work: () => Promise<T>): Promise<T> {
    if (this.#over) throw transactionClosed("it was committed or rolled back before");
    this.#running++;
    try {
      return await super.told(work);
    } finally {
      this.#running--;
    }
  }

  async #control(command: string, name: string): Promise<void> {
    await this.told(() => this.#tx.run(`${command} ${quoteName(name)}`));
  }
}
