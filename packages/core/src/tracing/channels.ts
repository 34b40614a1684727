import { AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel, type TracingChannel } from "node:diagnostics_channel";
import type { Parameters } from "../values/bind.js";

/** A statement, on the channel `sqlite-aio:query`. The same object is used from start to end. */
export interface QueryEvent {
  /** `query`: a statement; `fetch`: further rows of one; `many`: an executemany; `script`: several statements. */
  readonly operation: "query" | "fetch" | "many" | "script";
  /** The text, with `***` in place of an encryption key. */
  readonly sql: string;
  /** Path of the database. */
  readonly database: string;
  /** Only if `showParameters()` has turned them on, and never together with a key. */
  readonly parameters: Parameters | undefined;
  /** Number of the thread, as soon as it is known. */
  thread: number | undefined;
  /** Milliseconds from the call to its start in the thread; undefined until it is known. */
  queueMs: number | undefined;
  /** Milliseconds that it ran in the thread, including waits for locks and a shared COMMIT. */
  execMs: number | undefined;
  /** Rows received; further rows of a cursor have events of their own (`fetch`). */
  rows: number;
  /** Rows changed; undefined if SQLite does not count them. */
  changes: number | undefined;
  /** A `fetch` that was stopped because its result was left, by `break` or `close()`: no failure. */
  cancelled: boolean;
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
  /**
   * Milliseconds from the call until the transaction began: waiting for a connection, for earlier calls and for the
   * lock.
   */
  queueMs: number | undefined;
  /** Milliseconds that it was open. */
  openMs: number | undefined;
  /** Why it failed; missing where it did not. */
  error?: unknown;
}

/** The wait for a connection of a pool, on the channel `sqlite-aio:acquire`. */
export interface AcquireEvent {
  /** The method that waits. */
  readonly method: "acquire" | "transaction" | "read" | "iterate" | "executemany" | "backup" | "iterdump";
  /** The kind of connection that it waits for. */
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

/** What events show besides the text of a statement. */
export const tracing = { parameters: false };

/** Every statement; see {@link QueryEvent}. */
export const queryChannel = tracingChannel<unknown, QueryEvent>("sqlite-aio:query");
/** Every transaction; see {@link TransactionEvent}. */
export const transactionChannel = tracingChannel<unknown, TransactionEvent>("sqlite-aio:transaction");
/** Every lease of a pool; see {@link AcquireEvent}. */
export const acquireChannel = tracingChannel<unknown, AcquireEvent>("sqlite-aio:acquire");

const FIELD = { writable: true, enumerable: true, configurable: true } as const;

/**
 * Publishes one event as `tracePromise` does: start and end around the call, asyncStart and asyncEnd around its
 * outcome, and before them error, if there is one. `tracePromise` itself would hide the caller from an error's stack,
 * and would publish the rows as `result`.
 */
export class Trace<E extends { error?: unknown }> {
  readonly event: E;
  readonly #channel: TracingChannel<unknown, E>;
  /** The caller's async context, with the stores that subscribers have bound. */
  #inside!: <R>(work: () => R) => R;
  #over = false;

  constructor(channel: TracingChannel<unknown, E>, event: E) {
    this.#channel = channel;
    this.event = event;
  }

  get over(): boolean {
    return this.#over;
  }

  /**
   * Adds fields to the event. If a subscriber has frozen it, they are silently dropped. A setter of a subscriber is not
   * called: it could throw.
   */
  tell(fields: Partial<E>): void {
    const { event } = this;
    for (const [name, value] of Object.entries(fields)) {
      const isData = Object.getOwnPropertyDescriptor(event, name)?.writable !== undefined;
      Reflect.defineProperty(event, name, isData ? { value } : { ...FIELD, value });
    }
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

  /** Runs an asynchronous call from start to end. `done` completes the event; it gets no result if the call failed. */
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
