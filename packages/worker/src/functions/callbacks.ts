import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { awaitReply, type Control, repliesSeen } from "../wire/control-block.js";
import { CallbackError } from "../wire/fault.js";
import type { SqlValue } from "../wire/protocol.js";

/** The answer to a callback request; `summary` is the message for SQLite, if it is not the usual one. */
type CallbackReply =
  | { ok: true; value: SqlValue }
  | { ok: false; error: number; message: string; summary?: string };

/** How long the thread spins for the main side's answer before it parks: a wake-up costs more. */
const SPIN_MS = 0.1;

/** Calls closures of the main side: the thread posts a request and waits for the answer. */
export class Callbacks {
  readonly #port: MessagePort;
  readonly #control: Control;

  constructor(port: MessagePort, control: Control) {
    this.#port = port;
    this.#control = control;
  }

  /** Calls closure `number` with `args` and returns its value. Throws a {@link CallbackError} if it throws. */
  call(number: number, args: readonly unknown[]): SqlValue {
    const seen = repliesSeen(this.#control);
    this.#port.postMessage([number, args]);
    awaitReply(this.#control, seen, SPIN_MS);
    // The message is there: it is posted before it is announced.
    const message = receiveMessageOnPort(this.#port)!.message as CallbackReply;
    if (!message.ok) throw new CallbackError(message.error, message.message, message.summary);
    return message.value;
  }
}
