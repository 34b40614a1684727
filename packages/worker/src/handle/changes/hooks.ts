import { native, needsNative } from "../../engine/native.js";
import type { HookEvents } from "../../wire/hook-events.js";

/** Collects events of SQLite's update, commit and rollback hooks, while a hook is set. */
export class Hooks {
  #token = 0;
  /** Bits of the wire's Hook. */
  #wanted = 0;

  /** Call it when a handle was opened. */
  attached(token: number): void {
    this.#token = token;
    if (this.#wanted !== 0 && token !== 0) native?.recordEvents(token, this.#wanted);
  }

  /** Call it before the handle closes. */
  detached(): void {
    this.#token = 0;
  }

  /** Removes the hooks, so that the next handle starts without them. */
  forget(): void {
    this.#wanted = 0;
  }

  record(wanted: number): void {
    if (native === null || this.#token === 0) throw needsNative("a hook");
    native.recordEvents(this.#token, wanted);
    this.#wanted = wanted;
  }

  /** The events since the last call. Null if there are none, or no hook is set. */
  take(): HookEvents | null {
    if (this.#wanted === 0 || this.#token === 0) return null;
    const taken = native!.takeEvents(this.#token);
    if (taken === null) return null;
    return {
      tables: taken.tables,
      events: new Int32Array(taken.events),
      rowids: new BigInt64Array(taken.rowids),
    };
  }
}
