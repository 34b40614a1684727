import { Verb } from "@sqlite-aio/worker/wire";
import type { Call } from "../thread/call.js";
import { OperationalError, ProgrammingError } from "../errors/errors.js";
import { checkOptions, checkSignal, oneOf } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import type { Lane } from "./lane.js";
import type { Handle } from "./handle.js";
import { traceTransaction, type TransactionTrace } from "../tracing/transaction-trace.js";

/** Options of `transaction()`. */
export interface TransactionOptions {
  /** Which BEGIN, see https://sqlite.org/lang_transaction.html. Default `"deferred"`; a nested one is a SAVEPOINT. */
  mode?: "deferred" | "immediate" | "exclusive" | undefined;
  /**
   * Aborting rejects with the signal's reason at once: waiting calls are cancelled, and the transaction is rolled back.
   */
  signal?: AbortSignal | undefined;
}

const MODES = { deferred: 1, immediate: 2, exclusive: 3 } as const;

/** Numbers the savepoints of the process, so that each has its own name. */
let lastSavepoint = 0;

/**
 * Runs `fn` on a lease of the handle's lane, between BEGIN and COMMIT or SAVEPOINT and RELEASE. Throws for wrong
 * options.
 */
export function inTransaction<X, T>(
  handle: Handle,
  face: (handle: Handle) => X,
  fn: (tx: X) => T | Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
  checkOptions(options, ["mode", "signal"]);
  const mode = oneOf(options.mode, "mode", "deferred", ["deferred", "immediate", "exclusive"]);
  const signal = checkSignal(options.signal);
  if (handle.settings.autocommit === false) throw alwaysOpen();
  return traceTransaction(handle.scoped ? "savepoint" : mode, handle.settings.database, (trace) =>
    runTransaction(handle, face, fn, { mode, signal }, trace),
  );
}

/** {@link inTransaction} with checked options, for a transaction that is traced by the caller. */
export async function runTransaction<X, T>(
  handle: Handle,
  face: (handle: Handle) => X,
  fn: (tx: X) => T | Promise<T>,
  { mode = "deferred", signal }: TransactionOptions,
  trace: TransactionTrace | null,
): Promise<T> {
  const scope = new Scope(handle, await handle.lease(Deadline.of({ signal })), signal);
  await scope.begin(MODES[mode]);
  trace?.begun(handle.thread);
  return await scope.run(async (inner) => await fn(face(inner)));
}

/** One transaction or savepoint, from the start of its lease to the end. */
class Scope {
  readonly #inner: Handle;
  readonly #lane: Lane;
  readonly #signal: AbortSignal | undefined;
  readonly #nested: boolean;
  readonly #savepoint: number;

  constructor(outer: Handle, lane: Lane, signal: AbortSignal | undefined) {
    this.#inner = outer.within(lane, true);
    this.#inner.endsWith(transactionOver);
    this.#lane = lane;
    this.#signal = signal;
    this.#nested = outer.scoped;
    this.#savepoint = this.#nested ? ++lastSavepoint : 0;
  }

  /** Begins. Ends the lease if that fails. */
  async begin(mode: number): Promise<void> {
    const call = this.#control(
      this.#nested ? Verb.SAVEPOINT : Verb.BEGIN,
      this.#nested ? this.#savepoint : mode,
    );
    try {
      await this.#unlessAborted(this.#inner.settle(call));
    } catch (error) {
      // An aborted BEGIN may still succeed. Then it must be undone before anybody else gets a turn.
      this.#inner.channel.discourage(call);
      void call.promise
        .then(() => this.#undo())
        .catch(() => {})
        .finally(() => this.#leave());
      throw error;
    }
  }

  /** Commits when `work` returns, rolls back when it throws, and ends the lease. */
  async run<T>(work: (inner: Handle) => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await this.#unlessAborted(this.#lane.run(() => work(this.#inner)));
      this.#close();
      await this.#finish();
    } catch (error) {
      this.#close();
      this.#lane.abandon(transactionOver);
      const undone = this.#undo();
      if (this.#signal?.aborted === true) {
        this.#inner.channel.cancelAll(error);
        void undone.catch(() => {}).finally(() => this.#leave());
        throw error;
      }
      try {
        await undone;
      } catch (failure) {
        throw new OperationalError("the transaction could not be rolled back", {
          cause: new AggregateError([error, failure]),
        });
      } finally {
        this.#leave();
      }
      throw error;
    }
    this.#leave();
    return result;
  }

  async #finish(): Promise<void> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    const call = this.#control(this.#nested ? Verb.RELEASE : Verb.FINISH, this.#savepoint);
    // A COMMIT cannot be cancelled, but it can stop waiting for a lock.
    const onAbort = (): void => this.#inner.channel.discourage(call);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#inner.settle(call);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async #undo(): Promise<void> {
    // The end of this lane or of the thread has rolled back more than this.
    if (this.#lane.ended || !this.#inner.channel.alive) return;
    try {
      await this.#inner.settle(
        this.#control(this.#nested ? Verb.ROLLBACK_TO : Verb.ROLLBACK, this.#savepoint),
      );
    } catch (error) {
      if (this.#inner.channel.alive) throw error;
    }
  }

  #control(verb: number, argument: number): Call {
    const call = this.#inner.control(verb, argument);
    this.#lane.submit(call);
    return call;
  }

  /**
   * Takes no further calls. Releases cursors: a half-read one would keep its snapshot, and the log could not be reset.
   */
  #close(): void {
    this.#inner.end();
    this.#inner.cursors.closeAll();
  }

  #leave(): void {
    this.#inner.end();
    this.#lane.end(transactionOver);
  }

  /** Settles like `promise`, or rejects with the signal's reason as soon as it is aborted. */
  async #unlessAborted<T>(promise: Promise<T>): Promise<T> {
    const signal = this.#signal;
    if (signal === undefined) return await promise;
    let onAbort!: () => void;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/**
 * A transaction that is begun by a statement and keeps nobody out: what others call on the connection meanwhile is in it.
 */
export class SharedTransaction<X> {
  /** The connection. What is called here is refused, in the thread, unless a transaction is open then. */
  readonly statements: X;
  readonly #handle: Handle;

  constructor(handle: Handle, face: (handle: Handle) => X) {
    this.#handle = handle;
    this.statements = face(handle.within(handle.lane, true));
  }

  /**
   * Commits, or rolls back if SQLite refuses that. Nothing gets between the two. Rejects with code `SQLITE_ABORT_ROLLBACK`
   * if no transaction is open.
   */
  async commit(): Promise<void> {
    const lane = await this.#handle.lease(undefined);
    try {
      await this.#control(lane, Verb.FINISH);
    } catch (error) {
      if (this.#handle.channel.alive) await this.#control(lane, Verb.ROLLBACK);
      throw error;
    } finally {
      lane.end();
    }
  }

  /** Does nothing if no transaction is open. */
  async rollback(): Promise<void> {
    this.#handle.check();
    await this.#control(this.#handle.lane, Verb.ROLLBACK);
  }

  async #control(lane: Lane, verb: number): Promise<void> {
    const call = this.#handle.control(verb);
    lane.submit(call);
    await this.#handle.settle(call);
  }
}

function transactionOver(): ProgrammingError {
  return new ProgrammingError("the transaction is over", { code: "SQLITE_MISUSE" });
}

function alwaysOpen(): ProgrammingError {
  return new ProgrammingError(
    "transaction() begins by itself, and with autocommit: false a transaction is always open: use commit() and rollback()",
    { code: "SQLITE_MISUSE" },
  );
}
