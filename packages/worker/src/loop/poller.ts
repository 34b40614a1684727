import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { type Control, expects, Side } from "../wire/control-block.js";

/** How long a thread looks for the next message before it parks: a wake-up on either side costs 50 to 150 us. */
const POLL_MS = 0.2;
/** Polling goes on within microtasks; after this long the event loop gets a turn. */
const TURN_MS = 10;
/** So many polls in vain, and the thread parks at once until a message comes soon after it did. */
const MAX_MISSES = 4;
/** Of so many times that it parks at once, it looks once all the same: two sides that park never see soon answers. */
const TRY_EVERY = 32;

/** Takes messages off a port without parking the thread, as long as that has been paying off. */
export class Poller {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #deliver: (message: unknown) => void;
  /** How many threads of the process are polling, and how many may. */
  readonly #pollers: Int32Array<SharedArrayBuffer>;
  readonly #limit: number;
  #misses = 0;
  #skipped = 0;
  #parked = 0;
  #turned = 0;
  /** Messages that came, either way. */
  #received = 0;

  constructor(
    port: MessagePort,
    control: Control,
    deliver: (message: unknown) => void,
    pollers: Int32Array<SharedArrayBuffer>,
    limit: number,
  ) {
    this.#port = port;
    this.#control = control;
    this.#deliver = deliver;
    this.#pollers = pollers;
    this.#limit = limit;
  }

  /** A message came the ordinary way: the event loop has turned, and would polling have caught it? */
  turned(): void {
    this.#received++;
    this.#turned = performance.now();
    if (this.#turned - this.#parked < POLL_MS) this.#misses = 0;
  }

  /** Delivers the next message if it comes soon. */
  poll(): void {
    const began = performance.now();
    this.#parked = began;
    if (began - this.#turned > TURN_MS) return;
    if (this.#misses >= MAX_MISSES && ++this.#skipped % TRY_EVERY !== 0) return;
    if (Atomics.add(this.#pollers, 0, 1) >= this.#limit) {
      Atomics.sub(this.#pollers, 0, 1);
      return;
    }
    let there = false;
    let now = began;
    do {
      there = expects(this.#control, Side.MAIN, this.#received);
      now = performance.now();
    } while (!there && now - began < POLL_MS);
    Atomics.sub(this.#pollers, 0, 1);
    this.#parked = now;
    const received = there ? receiveMessageOnPort(this.#port) : undefined;
    if (received === undefined) this.#misses++;
    else {
      this.#misses = 0;
      this.#received++;
      this.#deliver(received.message);
    }
  }
}
