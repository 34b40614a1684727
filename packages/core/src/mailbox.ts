import { type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { announce, type Control, expects, type Port, Side } from "@sqlite-aio/worker/wire";
import { now, onTurn } from "./real-loop.js";

/** For so long messages are worked on before timers, I/O and other callbacks get their turn. */
const HOLD_MS = 0.5;

/** When the work on messages began in the present turn of the loop, for all threads; 0 if it has not. */
let began = 0;

/** Whether the present turn of the loop has been held by messages long enough. Called for each. */
function held(): boolean {
  const at = now();
  if (began !== 0) return at - began > HOLD_MS;
  began = at;
  onTurn(() => (began = 0));
  return false;
}

/**
 * Comlink's messages to a thread and from it. Those from it come by a port of their own, which can be looked at, as a
 * Worker's cannot: one caller reads 74,000 rows a second by key that way, against 41,000 by being told of each answer.
 *
 * Node hands up to a thousand messages to their listener before the loop turns; a thread that answers as fast as it is
 * asked would keep timers and sockets waiting all that while. So what comes when the turn has lasted long enough is
 * kept for the next one.
 */
export class Mailbox implements Port {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #kept: unknown[] = [];
  #received = 0;
  #listener!: (message: unknown) => void;
  /** For a message that cannot be read. */
  #onError!: (error: unknown) => void;

  constructor(worker: Worker, port: MessagePort, control: Control) {
    this.#worker = worker;
    this.#port = port;
    this.#control = control;
  }

  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
    announce(this.#control, Side.MAIN);
  }

  on(event: "message" | "messageerror", listener: (message: unknown) => void): void {
    if (event === "message") {
      this.#listener = listener;
      this.#port.on("message", (message) => this.#receive(message));
      // It is the Worker that keeps the process alive.
      this.#port.unref();
    } else {
      this.#onError = listener;
      this.#port.on("messageerror", listener);
    }
  }

  /** Hands over the next message, if it is there. */
  look(): boolean {
    if (this.#kept.length > 0 || !expects(this.#control, Side.THREAD, this.#received)) return false;
    return this.#take();
  }

  /** Hands over all that is there: the thread has ended. */
  drain(): void {
    for (const message of this.#kept.splice(0)) this.#listener(message);
    while (this.#take());
  }

  close(): void {
    this.#port.close();
  }

  #take(): boolean {
    let received: { message: unknown } | undefined;
    try {
      received = receiveMessageOnPort(this.#port);
    } catch (error) {
      // Thrown here, in a turn of the loop that is nobody's; an event where Node takes it.
      this.#received++;
      this.#onError(error);
      return true;
    }
    if (received === undefined) return false;
    this.#received++;
    this.#listener(received.message);
    return true;
  }

  #receive(message: unknown): void {
    this.#received++;
    if (this.#kept.length === 0 && !held()) this.#listener(message);
    else if (this.#kept.push(message) === 1) onTurn(() => this.#next());
  }

  /** One of those that were kept, in each turn of the loop. */
  #next(): void {
    if (this.#kept.length === 0) return;
    const message = this.#kept.shift();
    if (this.#kept.length > 0) onTurn(() => this.#next());
    // What is done with it is work of the turn that has just begun.
    held();
    this.#listener(message);
  }
}
