import type { Cursor } from "./cursor.js";
import type { CallOptions } from "../options/connect-options.js";
import { ErrorReason } from "../errors/rejection.js";
import { OperationalError } from "../errors/errors.js";
import type { LoopRow } from "../values/row-maker.js";

const END: IteratorResult<LoopRow> = { value: undefined, done: true };

/** Why what `next()` waits for is given up when `return()` is called. */
const left = new ErrorReason(
  () => new OperationalError("interrupted: the iteration was left", { code: "SQLITE_INTERRUPT" }),
);

/** Where the rows of an iteration come from. */
export interface RowSource {
  /** Called by the first step. */
  open(): Promise<Cursor>;
  /** Gives up the opening. */
  giveUp(reason: unknown): void;
  /** Called once at the end, without a cursor if there never was one. */
  close(cursor: Cursor | null): Promise<void>;
}

/**
 * The rows of a cursor that is opened by the first step and let go of at the end, also by `break` and `throw`. Written
 * out, because an async generator that delegates takes 1 us for each row; and because its `return()` would wait for the
 * `next()` before it, which may take as long as the query.
 */
export class RowIterator implements AsyncIterableIterator<LoopRow> {
  readonly #source: RowSource;
  #opening: Promise<Cursor> | null = null;
  #cursor: Cursor | null = null;
  #rows: AsyncIterator<LoopRow> | null = null;
  #done = false;
  /** Steps that have not been answered. */
  #pending = 0;
  /** Ended by `return()` while a step was under way. */
  #left = false;
  /** For each chunk: aborting ends the iteration wherever it is. */
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
      // A row that is there costs one resolved promise.
      return result === undefined ? this.#next() : Promise.resolve(result);
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Acts at once: what a `next()` waits for is given up, as by a signal, and that `next()` gives no row. */
  async return(): Promise<IteratorResult<LoopRow>> {
    if (this.#pending > 0 && !this.#done) {
      this.#left = true;
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
        // Left meanwhile: whoever did so closes it.
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

  /** A loop that next() ends by rejecting calls no return(). */
  async #fail(error: unknown): Promise<never> {
    await this.#finish();
    throw error;
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
    // Nothing to close if nothing was begun.
    if (this.#opening !== null) await this.#source.close(cursor);
  }
}

/** Runs `work` now, when the iteration is asked for; gives its result, or throws what it threw, at the first step. */
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
