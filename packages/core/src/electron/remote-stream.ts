import type { RemoteFault, StreamMessage } from "./envelope.js";

/** An error of the main process, as far as a page may know it. */
export class RemoteError extends Error {
  /** Of the class that the error had in the main process, such as `"IntegrityError"`. */
  override readonly name: string;
  /** Such as `"SQLITE_CONSTRAINT_UNIQUE"`; undefined for errors without a code. */
  readonly code: string | undefined;
  /** Text of the statement, where the main process tells it. */
  readonly sql: string | undefined;

  constructor({ name, message, code, sql }: RemoteFault) {
    super(message);
    this.name = name;
    this.code = code;
    this.sql = sql;
  }
}

/** Where the items come from. */
interface Source {
  pull(): Promise<StreamMessage>;
  end(): void;
}

/**
 * What a method gives piece by piece. The main process is asked for items when those that are here are used up, and one
 * message ahead where items come many at a time: rows keep coming, while a live result is the newest when it is asked
 * for. `break`, `return()` and the signal of the call end it there.
 */
export class RemoteStream<T> implements AsyncIterableIterator<T> {
  readonly #source: Source;
  readonly #signal: AbortSignal | null;
  readonly #aborted: Promise<never> | null = null;
  /** Only with a signal. */
  #onAbort!: () => void;
  #items: readonly T[] = [];
  #at = 0;
  /** A message that was asked for before it was needed. */
  #ahead: Promise<StreamMessage> | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #last = false;
  #over = false;
  #gaveUp = false;

  /** @internal */
  constructor(source: Source, signal: AbortSignal | null) {
    this.#source = source;
    this.#signal = signal;
    if (signal === null) return;
    this.#aborted = new Promise((_, reject) => {
      this.#onAbort = () => {
        this.#gaveUp = true;
        reject(signal.reason);
        this.#finish(true);
      };
    });
    this.#aborted.catch(() => {});
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** @internal The items of a stream that is still to come. */
  static later<T>(answer: Promise<unknown>, method: string): AsyncIterableIterator<T> {
    const stream = answer.then((value) => {
      if (value instanceof RemoteStream) return value as RemoteStream<T>;
      throw new TypeError(`"${method}" gives no stream: await it`);
    });
    stream.catch(() => {});
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => (await stream).next(),
      return: async () => (await stream).return(),
    };
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item. Rejects with a {@link RemoteError}, or with the reason of the signal of the call. */
  next(): Promise<IteratorResult<T>> {
    // Steps that are taken without awaiting the one before get their items in order.
    const step = this.#turn.then(() => this.#step());
    this.#turn = step.catch(() => {});
    return step;
  }

  /** Ends the stream, here and in the main process. */
  return(): Promise<IteratorResult<T>> {
    this.#finish(true);
    return Promise.resolve({ value: undefined, done: true });
  }

  async #step(): Promise<IteratorResult<T>> {
    for (;;) {
      if (this.#gaveUp) this.#signal?.throwIfAborted();
      if (this.#at < this.#items.length && !this.#over) {
        return { value: this.#items[this.#at++] as T, done: false };
      }
      if (this.#over) return { value: undefined, done: true };
      if (this.#last) {
        this.#finish(false);
        continue;
      }
      const message = this.#ahead ?? this.#source.pull();
      this.#ahead = null;
      this.#take(await (this.#aborted === null ? message : Promise.race([message, this.#aborted])));
    }
  }

  #take(message: StreamMessage): void {
    if (this.#over) return;
    if (!message.ok) {
      this.#finish(false);
      throw new RemoteError(message.error);
    }
    this.#items = message.items as readonly T[];
    this.#at = 0;
    this.#last = message.done;
    if (!message.done && message.items.length > 1) this.#ahead = this.#source.pull();
  }

  #finish(tell: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#items = [];
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (tell) this.#source.end();
  }
}
