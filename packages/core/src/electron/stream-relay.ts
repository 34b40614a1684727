import { setImmediate as turn } from "node:timers/promises";
import { Cloner } from "./cloneable.js";
import { END, PULL, type RemoteFault, type StreamMessage } from "./envelope.js";
import { textOf } from "./remote-fault.js";

/** The part of Electron's `MessagePortMain` that is used here. */
export interface PortLike {
  /** Something was sent from the other side. */
  on(event: "message", listener: (event: { readonly data: unknown }) => void): unknown;
  /** The other side has closed, or is gone. */
  on(event: "close", listener: () => void): unknown;
  /** Sends to the other side. */
  postMessage(message: unknown): void;
  /** Messages come from now on. */
  start(): void;
  /** Ends both sides. */
  close(): void;
}

/** Most items, and most bytes, of one message. */
const MAX_ITEMS = 256;
const MAX_BYTES = 256 * 1024;

const LATE = Symbol("not there yet");

/**
 * Sends what an iterator gives over a port, as much at a time as is there, and only when the other side asks. Ends the
 * iterator when the other side does, or is gone.
 */
export class StreamRelay {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #describe: (error: unknown) => RemoteFault;
  readonly #told: { stopped(): void; ended(): void };
  #port: PortLike | null = null;
  /** A step that was asked for and is not sent. */
  #next: Promise<IteratorResult<unknown>> | null = null;
  #busy = false;
  #over = false;

  /** `stopped` is called once, when nothing more will be sent, and `ended` when the iterator has ended, too. */
  constructor(
    iterator: AsyncIterator<unknown>,
    describe: (error: unknown) => RemoteFault,
    told: { stopped(): void; ended(): void },
  ) {
    this.#iterator = iterator;
    this.#describe = describe;
    this.#told = told;
  }

  /** Begins to answer the port. */
  serve(port: PortLike): void {
    this.#port = port;
    port.on("message", ({ data }) => {
      if (data === PULL) void this.#pull();
      else if (data === END) this.end();
    });
    port.on("close", () => this.end());
    port.start();
  }

  /** Ends the iterator, and tells the other side by closing the port. */
  end(): void {
    if (this.#over) return;
    this.#stop();
    // A generator that waits for something ends when it has it, and counts until then.
    const left = (async () => this.#iterator.return?.())();
    left
      .catch((error: unknown) => process.emitWarning(`a stream did not end well: ${textOf(error)}`))
      .finally(() => this.#told.ended());
  }

  #stop(): void {
    this.#over = true;
    this.#port?.close();
    this.#told.stopped();
  }

  async #pull(): Promise<void> {
    if (this.#busy || this.#over) return;
    this.#busy = true;
    try {
      const { items, done } = await this.#gather();
      this.#post({ ok: true, items, done });
      if (done && !this.#over) {
        this.#stop();
        this.#told.ended();
      }
    } catch (error) {
      this.#post({ ok: false, error: this.#describe(error) });
      this.end();
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Takes what is there within this turn of the loop. Where nothing is, waits for one item and sends it by itself: what
   * makes one wait is asked for no more than the page wants, so that a live result is read when it is to be shown.
   */
  async #gather(): Promise<{ items: unknown[]; done: boolean }> {
    const items: unknown[] = [];
    const cloner = new Cloner(this.#describe);
    const late = turn(LATE);
    let alone = false;
    while (items.length < MAX_ITEMS && cloner.size < MAX_BYTES && !alone && !this.#over) {
      try {
        const next = (this.#next ??= this.#iterator.next());
        let result = await Promise.race([next, late]);
        if (result === LATE) {
          if (items.length > 0) break;
          alone = true;
          result = await next;
        }
        this.#next = null;
        if (result.done === true) return { items, done: true };
        items.push(cloner.copy(result.value));
      } catch (error) {
        if (items.length === 0) throw error;
        // What came before the error goes before it.
        this.#next = Promise.reject(error);
        this.#next.catch(() => {});
        break;
      }
    }
    return { items, done: false };
  }

  #post(message: StreamMessage): void {
    if (!this.#over) this.#port?.postMessage(message);
  }
}
