import { native, needsNative } from "../../engine/native.js";
import type { HookEvents } from "../../wire/hook-events.js";

/** What SQLite's update, commit and rollback hooks tell, while somebody wants to know. */
export class Hooks {
  #token = 0;
  /** Bits of the wire's Hook. */
  #wanted = 0;

  /** A handle is open. */
  attached(token: number): void {
    this.#token = token;
    if (this.#wanted !== 0 && token !== 0) native?.recordEvents(token, this.#wanted);
  }

  /** The handle is about to close. */
  detached(): void {
    this.#token = 0;
  }

  /** Whoever wanted to know has nothing to do with the next handle. */
  forget(): void {
    this.#wanted = 0;
  }

  record(wanted: number): void {
    if (native === null || this.#token === 0) throw needsNative("a hook");
    native.recordEvents(this.#token, wanted);
    this.#wanted = wanted;
  }

  /** What happened since the last call. Null if nothing, or if nobody wants to know. */
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
