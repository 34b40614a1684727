import { AsyncResource } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import type { Callback } from "./arguments.js";
import type { Sqlite3Error } from "./errors.js";

/** A caller's function, called in the asynchronous context in which it was handed over. */
export class Answer {
  readonly #callback: Callback;
  readonly #resource: AsyncResource;

  private constructor(callback: Callback, type: string) {
    this.#callback = callback;
    this.#resource = new AsyncResource(type);
  }

  /** Null where there is no function to call. `type` is what async_hooks call it. */
  static of(callback: Callback | undefined, type: string): Answer | null {
    return callback === undefined ? null : new Answer(callback, type);
  }

  call(self: unknown, ...args: unknown[]): void {
    this.#resource.runInAsyncScope(this.#callback, self, ...args);
  }

  /** Runs what calls the function many times. */
  many(work: (callback: Callback) => void): void {
    this.#resource.runInAsyncScope(() => work(this.#callback));
  }
}

/** Tells a callback of an error; false if there is none. */
export function tell(self: unknown, answer: Answer | null, error: Sqlite3Error): boolean {
  answer?.call(self, error);
  return answer !== null;
}

/** Tells a callback of an error, or those who listen. */
export function report(self: EventEmitter, answer: Answer | null, error: Sqlite3Error): void {
  if (!tell(self, answer, error)) self.emit("error", error);
}

/** Tells those who listen of an error that is one of several: whoever throws keeps nobody from being told of the others. */
export function reportLater(self: EventEmitter, error: Sqlite3Error): void {
  queueMicrotask(() => void self.emit("error", error));
}
