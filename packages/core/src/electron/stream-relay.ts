import { setImmediate as turn } from "node:timers/promises";
import { Cloner } from "./cloneable.js";
import { END, PULL, type RemoteFault, type StreamMessage } from "./envelope.js";
import { textOf } from "./remote-fault.js";

/** The part of Electron's `MessagePortMain` that is used here. */
export interface PortLike {
  /** The other side sent a message. */
  on(event: "message", listener: (event: { readonly data: unknown }) => void): unknown;
  /** The other side closed the port or is gone. */
  on(event: "close", listener: () => void): unknown;
  /** Sends to the other side. */
  postMessage(message: unknown): void;
  /** Starts to deliver messages. */
  start(): void;
  /** Closes both sides of the port. */
  close(): void;
}

/** Maximum number of items and bytes in one message. */
const MAX_ITEMS = 256;
const MAX_BYTES = 256 * 1024;

const LATE = Symbol("not there yet");

/**
 * Sends the items of an iterator over a port, as many at a time as are ready, and only on request. Ends the iterator
 * when the other side ends the stream or is gone.
 */
export class StreamRelay {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #describe: (error: unknown) => RemoteFault;
  readonly #told: { stopped(): void; ended(): void };
  #port: PortLike | null = null;
  /** A step of the iterator whose result was not sent yet. */
  #next: Promise<IteratorResult<unknown>> | null = null;
  #busy = false;
  #over = false;

  /** `stopped` is called once, when nothing more will be sent. `ended` is called when the iterator has ended too. */
  constructor(
    iterator: AsyncIterator<unknown>,
    describe: (error: unknown) => RemoteFault,
    told: { stopped(): void; ended(): void },
  ) {
    this.#iterator = iterator;
    this.#describe = describe;
    this.#told = told;
  }

  /** Starts to answer requests of the port. */
  serve(port: PortLike): void {
    this.#port = port;
    port.on("message", ({ data }) => {
      if (data === PULL) void this.#pull();
      else if (data === END) this.end();
    });
    port.on("close", () => this.end());
    port.start();
  }

  /** Ends the iterator, and closes the port, which tells the other side. */
  end(): void {
    if (this.#over) return;
    this.#stop();
    // A generator that is awaiting something ends only after that. Until then it counts as open.
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
   * Takes the items that are ready within this turn of the event loop. If none is, waits for one item and sends it
   * alone: requesting more ahead would make a live result outdated when the page shows it.
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
        // The items before the error are sent first.
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
