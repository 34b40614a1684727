import type { Cursor } from "./cursor.js";
import type { CallOptions } from "../options/connect-options.js";
import type { AnyRow } from "../values/row-maker.js";

const END: IteratorResult<AnyRow> = { value: undefined, done: true };

/**
 * The rows of a cursor that is opened by the first step and let go of at the end, also by `break` and `throw`. Written
 * out, because an async generator that delegates takes 1 us for each row.
 */
export class RowIterator implements AsyncIterableIterator<AnyRow> {
  readonly #open: () => Promise<Cursor>;
  readonly #close: (cursor: Cursor) => Promise<void>;
  #opening: Promise<Cursor> | null = null;
  #cursor: Cursor | null = null;
  #rows: AsyncIterator<AnyRow> | null = null;
  #done = false;
  /** For each chunk: aborting ends the iteration wherever it is. */
  readonly #options: CallOptions | undefined;

  constructor(open: () => Promise<Cursor>, close: (cursor: Cursor) => Promise<void>, signal?: AbortSignal) {
    this.#open = open;
    this.#close = close;
    this.#options = signal === undefined ? undefined : { signal };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<AnyRow>> {
    if (this.#options?.signal?.aborted === true) return this.#next();
    try {
      const row = this.#cursor?.takeBuffered();
      // A row that is there costs one resolved promise.
      return row === undefined ? this.#next() : Promise.resolve({ value: row, done: false });
    } catch (error) {
      return this.#fail(error);
    }
  }

  async return(): Promise<IteratorResult<AnyRow>> {
    await this.#finish();
    return END;
  }

  async #next(): Promise<IteratorResult<AnyRow>> {
    if (this.#done) return END;
    try {
      this.#options?.signal?.throwIfAborted();
      if (this.#rows === null) {
        this.#opening ??= this.#open();
        this.#cursor = await this.#opening;
        this.#rows ??= this.#cursor[Symbol.asyncIterator]();
      }
      const result = await this.#step(this.#rows);
      if (result.done === true) await this.#finish();
      return result;
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** A loop that next() ends by rejecting calls no return(). */
  async #fail(error: unknown): Promise<never> {
    await this.#finish();
    throw error;
  }

  async #step(rows: AsyncIterator<AnyRow>): Promise<IteratorResult<AnyRow>> {
    if (this.#options === undefined) return await rows.next();
    const fetched = await this.#cursor!.fetchmany(1, this.#options);
    return fetched.length === 0 ? END : { value: fetched[0], done: false };
  }

  async #finish(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    const cursor = this.#cursor ?? (await this.#opening?.catch(() => null)) ?? null;
    this.#cursor = null;
    if (cursor !== null) await this.#close(cursor);
  }
}
