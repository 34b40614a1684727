import { inspect, type InspectOptionsStylized } from "node:util";
import type { Cursor } from "./cursor.js";
import type { CallOptions } from "../options/connect-options.js";
import { ErrorReason } from "../errors/rejection.js";
import { OperationalError } from "../errors/errors.js";
import { inspected } from "../tracing/inspected.js";
import type { LoopRow } from "../values/row-maker.js";

const END: IteratorResult<LoopRow> = { value: undefined, done: true };

/** Rejects what `next()` waits for when `return()` is called. */
const left = new ErrorReason(
  () => new OperationalError("interrupted: the iteration was left", { code: "SQLITE_INTERRUPT" }),
);

/** Opens and closes the cursor of an iteration. */
export interface RowSource {
  /** Called by the first `next()`; if {@link begun}, also by a `return()` before it. */
  open(): Promise<Cursor>;
  /** The statement was sent before the iteration: an end without a step must stop it. */
  readonly begun?: true;
  /** Cancels the opening. */
  giveUp(reason: unknown): void;
  /** Called once at the end; null if no cursor was opened. */
  close(cursor: Cursor | null): Promise<void>;
}

/**
 * The rows of a cursor that the first step opens and the end closes, also after `break` and `throw`. Written by hand
 * for two reasons: an async generator that delegates costs 1 us per row, and its `return()` would wait for the `next()`
 * before it, which may take as long as the query.
 */
export class RowIterator implements AsyncIterableIterator<LoopRow> {
  readonly #source: RowSource;
  #opening: Promise<Cursor> | null = null;
  #cursor: Cursor | null = null;
  #rows: AsyncIterator<LoopRow> | null = null;
  #done = false;
  /** Calls of `next()` that are not answered yet. */
  #pending = 0;
  /** `return()` was called while a `next()` waited. */
  #left = false;
  /** Options for each chunk: aborting the signal ends the iteration anywhere. */
  readonly #options: CallOptions | undefined;

  constructor(source: RowSource, signal?: AbortSignal) {
    this.#source = source;
    this.#options = signal === undefined ? undefined : { signal };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<LoopRow>> {
    if (this.#options?.signal?.aborted === true) return this.#next();
    try {
      const result = this.#cursor?.takeBuffered();
      // A buffered row costs one resolved promise.
      return result === undefined ? this.#next() : Promise.resolve(result);
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Ends at once: cancels what a `next()` waits for, and that `next()` resolves without a row. */
  async return(): Promise<IteratorResult<LoopRow>> {
    const sent = this.#opening === null && this.#source.begun;
    if ((sent || this.#pending > 0) && !this.#done) {
      this.#left = true;
      if (sent) this.#opening = this.#source.open();
      if (this.#cursor === null) this.#source.giveUp(left);
      else this.#cursor.giveUp(left);
    }
    await this.#finish();
    return END;
  }

  async #next(): Promise<IteratorResult<LoopRow>> {
    if (this.#done) return END;
    this.#pending++;
    try {
      this.#options?.signal?.throwIfAborted();
      if (this.#rows === null) {
        this.#opening ??= this.#source.open();
        const cursor = await this.#opening;
        // return() was called meanwhile, and closes the cursor.
        if (this.#done) return END;
        this.#cursor = cursor;
        this.#rows ??= cursor[Symbol.asyncIterator]();
      }
      const result = await this.#step(this.#rows);
      if (this.#left) return END;
      if (result.done === true) await this.#finish();
      return result;
    } catch (error) {
      if (this.#left) return END;
      return await this.#fail(error);
    } finally {
      this.#pending--;
    }
  }

  /** A `for await` loop does not call return() when next() rejects. */
  async #fail(error: unknown): Promise<never> {
    await this.#finish();
    throw error;
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    return inspected(this, { state: this.#state }, depth, options);
  }

  get #state(): string {
    if (this.#done) return "over";
    return this.#opening === null ? "unused" : "half read";
  }

  async #step(rows: AsyncIterator<LoopRow>): Promise<IteratorResult<LoopRow>> {
    if (this.#options === undefined) return await rows.next();
    const fetched = await this.#cursor!.fetchmany(1, this.#options);
    return fetched.length === 0 ? END : { value: fetched[0], done: false };
  }

  async #finish(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    const cursor = this.#cursor ?? (await this.#opening?.catch(() => null)) ?? null;
    this.#cursor = null;
    // Nothing to close if open() was never called.
    if (this.#opening !== null) await this.#source.close(cursor);
  }
}

/**
 * Runs `work` now, when the iteration is requested. The returned function gives its result or throws its error, at the
 * first step.
 */
export function resultOf<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
