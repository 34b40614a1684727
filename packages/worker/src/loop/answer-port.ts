import type { MessagePort } from "node:worker_threads";
import { AnswerSlot } from "../wire/answer-slot.js";
import type { Port } from "../wire/comlink-endpoint.js";
import { announce, announced, type Control, Side } from "../wire/control-block.js";

/** The thread's answers: by the slot while the main side looks for them there, or else by its port. */
export class AnswerPort implements Port {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #slot: AnswerSlot;

  constructor(port: MessagePort, control: Control, slot: SharedArrayBuffer) {
    this.#port = port;
    this.#control = control;
    this.#slot = new AnswerSlot(slot);
  }

  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void {
    const slot = this.#slot;
    const bySlot = slot.looking && isReply(message) && this.#put(message[0], message[1]);
    if (!bySlot) this.#port.postMessage(message, transfer);
    announce(this.#control, Side.THREAD);
    // The main side has stopped to look in the meantime.
    if (bySlot && !slot.looking) this.#port.postMessage(null);
  }

  #put(id: number, reply: readonly unknown[]): boolean {
    return this.#slot.put((announced(this.#control, Side.THREAD) + 1) | 0, id, reply);
  }

  // Messages to the thread come another way.
  on(): void {}
}

/** Whether it is a frame's reply, and no error. */
function isReply(message: unknown): message is [id: number, reply: unknown[]] {
  return Array.isArray(message) && message.length === 2 && Array.isArray(message[1]);
}
