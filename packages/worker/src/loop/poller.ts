import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { type Control, expects, Side } from "../wire/control-block.js";

/**
 * How long a thread polls for the next message before it parks. Waking a parked thread costs 50 to 150 us on either
 * side.
 */
const POLL_MS = 0.2;
/** Polling continues inside microtasks. After this long, the event loop gets a turn. */
const TURN_MS = 10;
/** After this many polls without a message, the thread parks at once, until a message comes shortly after it parked. */
const MAX_MISSES = 4;
/**
 * While it parks at once, it still polls every 32nd time: if both sides sleep, neither sees how fast the other answers.
 */
const TRY_EVERY = 32;

/** Receives messages without parking the thread, as long as that pays off. */
export class Poller {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #deliver: (message: unknown) => void;
  /** Number of polling threads in the process, and its limit. */
  readonly #pollers: Int32Array<SharedArrayBuffer>;
  readonly #limit: number;
  #misses = 0;
  #skipped = 0;
  #parked = 0;
  #turned = 0;
  /** Messages received, polled or not. */
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

  /** A message came through the event loop. If it came shortly after parking, polling would have caught it. */
  turned(): void {
    this.#received++;
    this.#turned = performance.now();
    if (this.#turned - this.#parked < POLL_MS) this.#misses = 0;
  }

  /** Polls once, and delivers the next message if it comes soon. */
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
