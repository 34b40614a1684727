import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { AdaptiveSpin } from "../wire/adaptive-spin.js";
import { type Control, expects, Side } from "../wire/control-block.js";

/**
 * How long a thread polls for the next message before it parks. Waking a parked thread costs 50 to 150 us on either
 * side.
 */
const POLL_MS = 0.2;
/** Polling continues inside microtasks. After this long, the event loop gets a turn. */
const TURN_MS = 10;

/** Receives messages without parking the thread, as long as that pays off. */
export class Poller {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #deliver: (message: unknown) => void;
  /** Number of polling threads in the process, and its limit. */
  readonly #pollers: Int32Array<SharedArrayBuffer>;
  readonly #limit: number;
  readonly #spin: AdaptiveSpin;
  #turned = 0;
  /** Messages received, polled or not. */
  #received = 0;

  constructor(
    port: MessagePort,
    control: Control,
    deliver: (message: unknown) => void,
    pollers: Int32Array<SharedArrayBuffer>,
    limit: number,
    spin: AdaptiveSpin,
  ) {
    this.#port = port;
    this.#control = control;
    this.#deliver = deliver;
    this.#pollers = pollers;
    this.#limit = limit;
    this.#spin = spin;
  }

  /** A message came through the event loop, which has turned. */
  turned(): void {
    this.#received++;
    this.#turned = performance.now();
  }

  /** Polls once, and delivers the next message if it comes soon. */
  poll(): void {
    const began = performance.now();
    if (began - this.#turned > TURN_MS) return;
    if (Atomics.add(this.#pollers, 0, 1) >= this.#limit || !this.#spin.begins()) {
      Atomics.sub(this.#pollers, 0, 1);
      return;
    }
    let there = false;
    do there = expects(this.#control, Side.MAIN, this.#received);
    while (!there && performance.now() - began < POLL_MS);
    Atomics.sub(this.#pollers, 0, 1);
    const received = there ? receiveMessageOnPort(this.#port) : undefined;
    this.#spin.ended(received !== undefined);
    if (received === undefined) return;
    this.#received++;
    this.#deliver(received.message);
  }
}
