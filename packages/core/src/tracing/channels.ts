import { AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel, type TracingChannel } from "node:diagnostics_channel";
import type { Parameters } from "../values/bind.js";

/** What happens to a statement, on the channel `sqlite-aio:query`. The same object from start to end. */
export interface QueryEvent {
  /** `query`: a statement; `fetch`: further rows of one; `many`: an executemany; `script`: several statements. */
  readonly operation: "query" | "fetch" | "many" | "script";
  /** As it was given, with `***` in place of the key of an encrypted database. */
  readonly sql: string;
  /** Path of the database. */
  readonly database: string;
  /** Only where they were asked for, and never beside a key. */
  readonly parameters: Parameters | undefined;
  /** Number of the thread, as soon as it is known. */
  thread: number | undefined;
  /** Milliseconds from the call to the beginning in the thread; undefined while that is not known. */
  queueMs: number | undefined;
  /** Milliseconds that it ran in the thread, waits for locks and the COMMIT that it shares included. */
  execMs: number | undefined;
  /** Rows that have come; a cursor's further ones come by `fetch`. */
  rows: number;
  /** Rows changed; undefined where SQLite does not count. */
  changes: number | undefined;
  /** Why it failed; missing where it did not. */
  error?: unknown;
}

/** A transaction, on the channel `sqlite-aio:transaction`. */
export interface TransactionEvent {
  /** `read` for the `read()` of a pool. */
  readonly mode: "deferred" | "immediate" | "exclusive" | "savepoint" | "read";
  /** Path of the database. */
  readonly database: string;
  /** Number of the thread, as soon as it is known. */
  thread: number | undefined;
  /** Milliseconds from the call until it was begun: for a connection, for those before, for the lock. */
  queueMs: number | undefined;
  /** Milliseconds that it was open. */
  openMs: number | undefined;
  /** Why it failed; missing where it did not. */
  error?: unknown;
}

/** The wait for a connection of a pool, on the channel `sqlite-aio:acquire`. */
export interface AcquireEvent {
  /** Which method wants it. */
  readonly method: "acquire" | "transaction" | "read" | "iterate" | "executemany" | "backup" | "iterdump";
  /** Which kind of connection it wants. */
  readonly role: "reader" | "writer";
  /** Path of the database. */
  readonly database: string;
  /** Number of the thread, as soon as it is known. */
  thread: number | undefined;
  /** Milliseconds that it waited. */
  queueMs: number | undefined;
  /** Why it failed; missing where it did not. */
  error?: unknown;
}

/** What is shown beyond the text of a statement. */
export const tracing = { parameters: false };

/** Every statement; see {@link QueryEvent}. */
export const queryChannel = tracingChannel<unknown, QueryEvent>("sqlite-aio:query");
/** Every transaction; see {@link TransactionEvent}. */
export const transactionChannel = tracingChannel<unknown, TransactionEvent>("sqlite-aio:transaction");
/** Every lease of a pool; see {@link AcquireEvent}. */
export const acquireChannel = tracingChannel<unknown, AcquireEvent>("sqlite-aio:acquire");

/**
 * One event on its way through a channel, published as `tracePromise` does it: start and end around the call, asyncStart
 * and asyncEnd, after error if there is one, around its outcome. Not by `tracePromise` itself, behind which an error's stack
 * would no longer show the caller, and which would publish the rows as `result`.
 */
export class Trace<E extends { error?: unknown }> {
  readonly event: E;
  readonly #channel: TracingChannel<unknown, E>;
  /** The context of the caller, with what subscribers have bound to it. */
  #inside!: <R>(work: () => R) => R;
  #over = false;

  constructor(channel: TracingChannel<unknown, E>, event: E) {
    this.#channel = channel;
    this.event = event;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Completes the event. A subscriber may have frozen it, which keeps nothing but that from being told. */
  tell(fields: Partial<E>): void {
    for (const [name, value] of Object.entries(fields)) Reflect.set(this.event, name, value);
  }

  /** Runs the synchronous part of the call. */
  run<T>(work: () => T): T {
    const { start, end } = this.#channel;
    try {
      return start.runStores(this.event, () => {
        this.#inside = AsyncLocalStorage.snapshot();
        return work();
      });
    } finally {
      end.publish(this.event);
    }
  }

  /** Runs an asynchronous call from its start to its end; `done` completes the event, without a result if it failed. */
  async follow<T>(work: () => Promise<T>, done: (result?: T) => void): Promise<T> {
    try {
      const result = await this.run(work);
      done(result);
      this.succeeded();
      return result;
    } catch (error) {
      done();
      this.failed(error);
      throw error;
    }
  }

  succeeded(): void {
    this.#end(() => {});
  }

  failed(error: unknown): void {
    this.#end(() => this.#publishError(error));
  }

  #publishError(error: unknown): void {
    this.tell({ error } as Partial<E>);
    this.#channel.error.publish(this.event);
  }

  #end(first: () => void): void {
    this.#over = true;
    this.#inside(() => {
      first();
      this.#channel.asyncStart.publish(this.event);
      this.#channel.asyncEnd.publish(this.event);
    });
  }
}
