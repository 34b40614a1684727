import type { RemoteFault, StreamMessage } from "./envelope.js";

/** An error of the main process, with the parts that a page may know. */
export class RemoteError extends Error {
  /** Name of the error's class in the main process, such as `"IntegrityError"`. */
  override readonly name: string;
  /** Code such as `"SQLITE_CONSTRAINT_UNIQUE"`; undefined for errors without a code. */
  readonly code: string | undefined;
  /** Text of the statement, if the main process sends it. */
  readonly sql: string | undefined;

  constructor({ name, message, code, sql }: RemoteFault) {
    super(message);
    this.name = name;
    this.code = code;
    this.sql = sql;
  }
}

/** The source of the items. */
interface Source {
  pull(): Promise<StreamMessage>;
  end(): void;
}

/**
 * A streamed result. Requests items when the received ones are used up. If items come in groups, requests the next
 * message ahead: rows keep coming, while a live result is read only on request, so it is the newest. `break`,
 * `return()` and the call's signal end the stream in the main process.
 */
export class RemoteStream<T> implements AsyncIterableIterator<T> {
  readonly #source: Source;
  readonly #signal: AbortSignal | null;
  readonly #aborted: Promise<never> | null = null;
  /** Only with a signal. */
  #onAbort!: () => void;
  #items: readonly T[] = [];
  #at = 0;
  /** A message that was requested ahead. */
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

  /** @internal The items of a stream whose call is not answered yet. */
  static later<T>(answer: Promise<unknown>, method: string): AsyncIterableIterator<T> {
    const stream = answer.then((value) => {
      if (value instanceof RemoteStream) return value as RemoteStream<T>;
      throw new TypeError(`"${method}" gives no stream: await it`);
    });
    stream.catch(() => {});
    const left = Promise.withResolvers<IteratorReturnResult<undefined>>();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => await Promise.race([left.promise, stream.then((items) => items.next())]),
      // At once: the method may take as long as it likes to answer.
      return: async () => {
        stream.then(
          (items) => void items.return(),
          () => {},
        );
        const over = { value: undefined, done: true } as const;
        left.resolve(over);
        return over;
      },
    };
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item. Rejects with a {@link RemoteError}, or with the reason of the call's signal. */
  next(): Promise<IteratorResult<T>> {
    // Concurrent calls of next() get their items in order.
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
