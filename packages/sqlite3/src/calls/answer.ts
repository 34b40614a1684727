import { AsyncResource } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import type { Callback } from "./arguments.js";
import type { Sqlite3Error } from "./errors.js";

/** A caller's function. It is called in the async context in which it was given. */
export class Answer {
  readonly #callback: Callback;
  readonly #resource: AsyncResource;

  private constructor(callback: Callback, type: string) {
    this.#callback = callback;
    this.#resource = new AsyncResource(type);
  }

  /** Null if there is no function. `type` is its name in async_hooks. */
  static of(callback: Callback | undefined, type: string): Answer | null {
    return callback === undefined ? null : new Answer(callback, type);
  }

  call(self: unknown, ...args: unknown[]): void {
    this.#resource.runInAsyncScope(this.#callback, self, ...args);
  }

  /** Runs work that calls the function many times. */
  many(work: (callback: Callback) => void): void {
    this.#resource.runInAsyncScope(() => work(this.#callback));
  }
}

/** Calls a callback with an error; false if there is no callback. */
export function tell(self: unknown, answer: Answer | null, error: Sqlite3Error): boolean {
  answer?.call(self, error);
  return answer !== null;
}

/** Calls a callback with an error, or emits the event `error`. */
export function report(self: EventEmitter, answer: Answer | null, error: Sqlite3Error): void {
  if (!tell(self, answer, error)) self.emit("error", error);
}

/** Emits an error that is one of several. Later, so that a listener that throws does not hide the others. */
export function reportLater(self: EventEmitter, error: Sqlite3Error): void {
  queueMicrotask(() => void self.emit("error", error));
}
