import { inspect, type InspectOptionsStylized } from "node:util";
import type { ChangeReport, TableAccess } from "@sqlite-aio/worker/wire";
import { ProgrammingError } from "../../errors/errors.js";
import { type CallOptions, checkOptions, checkSignal } from "../../options/connect-options.js";
import { inspected } from "../../tracing/inspected.js";
import type { ChangeSource, ChangeSubscriber } from "./change-events.js";

/** Milliseconds that the first result waits for a busy writer. Changes in the meantime cause another read. */
const PATIENCE_MS = 20;

/** What a live query needs from its pool. */
export interface WatchSource<R> {
  readonly sql: string;
  readonly changes: ChangeSource;
  /** The tables that the query reads; null if it cannot be compiled. */
  access(options: CallOptions): Promise<TableAccess | null>;
  query(options: CallOptions): Promise<R[]>;
}

/** A query's results, as `pool.watch()` gives them. */
export interface LiveQuery<R> extends AsyncIterableIterator<R[]>, AsyncDisposable {
  /** Ends the live query, also while a `next()` waits. */
  return(): Promise<IteratorReturnResult<undefined>>;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * A query's result, and a new one whenever a table that it reads has changed. The query runs when the result is
 * requested. So at most one runs, however many commits there are, and it sees every reported commit.
 */
export class Watch<R> implements LiveQuery<R>, ChangeSubscriber {
  readonly #source: WatchSource<R>;
  readonly #options: CallOptions;
  readonly #signal: AbortSignal | undefined;
  /** Stops a query that runs when the watch ends, or when its signal aborts. */
  readonly #over = new AbortController();
  readonly #onAbort = (): void => {
    this.#over.abort(this.#signal?.reason);
    this.#wake();
  };
  #unsubscribe: (() => void) | null = null;
  /** The tables that the query reads, as `database.table`; null if unknown. */
  #reads: ReadonlySet<string> | null = null;
  /** The tables must be determined again. */
  #outdated = true;
  #dirty = true;
  #ended = false;
  #waiting: (() => void) | null = null;
  /** The error if reports turn out to be impossible after the first result. */
  #failure: { readonly error: unknown } | null = null;
  /** Calls of `next()` run one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: WatchSource<R>, options: CallOptions = {}) {
    this.#source = source;
    this.#signal = checkSignal(checkOptions(options, ["signal", "timeout", "integers"]).signal);
    this.#options = { ...options, signal: this.#over.signal };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<R[], undefined>> {
    const result = this.#last.then(() => this.#next());
    this.#last = result.catch(() => {});
    return result;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#end();
    return DONE;
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const state = this.#ended ? "over" : this.#unsubscribe === null ? "unused" : "watching";
    return inspected(this, { state }, depth, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  /** @internal */
  changed({ tables, schema, anything }: ChangeReport): void {
    // Another process may also have replaced a view that the query reads.
    if (schema || anything) this.#outdated = true;
    const reads = this.#reads;
    const touched =
      schema ||
      anything ||
      reads === null ||
      tables.some(({ database, table }) => reads.has(`${database}.${table}`));
    if (!touched) return;
    this.#dirty = true;
    this.#wake();
  }

  /** @internal */
  closed(): void {
    this.#end();
  }

  async #next(): Promise<IteratorResult<R[], undefined>> {
    if (this.#ended) return DONE;
    try {
      this.#check();
      if (this.#unsubscribe === null) await this.#begin();
      while (!this.#dirty && !this.#ended) {
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
        this.#check();
      }
      const rows = this.#ended ? null : await this.#read();
      // If it ended meanwhile, the result is dropped.
      return rows === null || this.#hasEnded ? DONE : { done: false, value: rows };
    } catch (error) {
      // What fails after the end was stopped by it, or by the pool's close.
      const over = this.#hasEnded || this.#source.changes.closed;
      this.#end();
      if (over && this.#signal?.aborted !== true) return DONE;
      throw error;
    }
  }

  get #hasEnded(): boolean {
    return this.#ended;
  }

  async #begin(): Promise<void> {
    const { changes } = this.#source;
    this.#unsubscribe = changes.subscribe(this);
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    let late = false;
    const ready = changes.ready.then(() => {
      if (!late) return;
      this.#dirty = true;
      this.#wake();
    });
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        resolve();
      }, PATIENCE_MS);
    });
    await Promise.race([ready, deadline]).finally(() => clearTimeout(timer));
    ready.catch((error: unknown) => {
      this.#failure = { error };
      this.#wake();
    });
  }

  async #read(): Promise<R[]> {
    if (this.#outdated) {
      this.#outdated = false;
      this.#reads = null;
      this.#adopt(await this.#source.access(this.#options));
    }
    // Reset before the query: a commit during the query may not be in its snapshot.
    this.#dirty = false;
    return await this.#source.query(this.#options);
  }

  #adopt(access: TableAccess | null): void {
    if (access === null) return;
    const { sql } = this.#source;
    if (!access.readonly)
      throw new ProgrammingError("watch() is for queries that only read", { code: "SQLITE_MISUSE", sql });
    if (this.#outdated || access.anything) return;
    this.#reads = new Set(access.reads.map(([database, table]) => `${database}.${table}`));
  }

  #check(): void {
    this.#signal?.throwIfAborted();
    if (this.#failure !== null) throw this.#failure.error;
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = null;
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#unsubscribe?.();
    this.#over.abort();
    this.#wake();
  }
}
