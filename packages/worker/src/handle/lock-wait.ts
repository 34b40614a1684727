import { BUSY_SLICE_MS, LOCK_CODES } from "../engine/lock-codes.js";
import type { DatabaseHandle } from "./database-handle.js";
import type { OpenCursors } from "./cursors/open-cursors.js";
import { type Control, isCancelled, sleep } from "../wire/control-block.js";
import { codeOf } from "../wire/fault.js";

/** The running operation, and how long it waits for the locks of others. */
export class LockWait {
  readonly #handle: DatabaseHandle;
  readonly #cursors: OpenCursors;
  readonly #control: Control;
  /** Milliseconds for each lock. */
  #timeout = 0;
  #sequence = 0;
  /** When the last attempt began, and the lock that holds the operation up: how far it was, since when. */
  #attempted = 0;
  #locked: { readonly progress: number; readonly since: number } | null = null;

  constructor(handle: DatabaseHandle, cursors: OpenCursors, control: Control) {
    this.#handle = handle;
    this.#cursors = cursors;
    this.#control = control;
  }

  /** The number of the operation. */
  get sequence(): number {
    return this.#sequence;
  }

  /** It was cancelled, or the thread is to stop. */
  get interrupted(): boolean {
    return isCancelled(this.#control, this.#sequence);
  }

  /** An attempt at an operation begins at `now`. */
  attempt(sequence: number, first: boolean, now: number): void {
    this.#sequence = sequence;
    this.#attempted = now;
    if (first) this.#locked = null;
  }

  /**
   * Whether a lock was met that is worth waiting for. SQLite answers BUSY without waiting where waiting could never
   * end (two readers that both want to write), so while this side reads only a BUSY that took its time counts.
   * `progress` tells the locks of one operation apart, each of which may hold it up for the timeout.
   */
  mayRetry(error: unknown, progress = 0): boolean {
    if (this.interrupted) return false;
    const code = codeOf(error);
    const { inTransaction } = this.#handle;
    // Outside a transaction the next attempt sees the next snapshot.
    const stale = code === "SQLITE_BUSY_SNAPSHOT" && !inTransaction && this.#cursors.size === 0;
    if (!stale && !LOCK_CODES.has(code)) return false;
    const now = performance.now();
    if (this.#locked?.progress !== progress) {
      this.#locked = { progress, since: Math.max(this.#attempted, now - BUSY_SLICE_MS) };
    }
    if (now - this.#locked.since >= this.#timeout) return false;
    if (now - this.#attempted > BUSY_SLICE_MS / 2) return true;
    if (inTransaction || this.#cursors.size > 0) return false;
    // Some locks are not waited for by the engine at all.
    sleep(this.#control, 5);
    return true;
  }

  /** A handle is about to be opened that waits for `timeout` ms. */
  opening(timeout: number): void {
    this.#timeout = timeout;
  }

  /** How many milliseconds this connection waits for a lock, as `PRAGMA busy_timeout` reads and sets it. */
  busyTimeout(pragma: "reads" | "sets", sql: string): number {
    if (pragma === "sets") {
      // The engine takes it when it compiles the text, and would wait for so long inside of one native call.
      this.#handle.privately(() => this.#handle.db.exec(sql));
      this.#adopt(this.#engineTimeout());
    }
    return this.#timeout;
  }

  /** Takes over what somebody has set on a handle that was opened to wait for `given` ms. */
  adoptUnless(given: number): void {
    const timeout = this.#engineTimeout();
    if (timeout !== Math.min(given, BUSY_SLICE_MS)) this.#adopt(timeout);
  }

  #engineTimeout(): number {
    const { db } = this.#handle;
    return this.#handle.privately(() => Number(db.prepare("PRAGMA busy_timeout").pluck().get()));
  }

  #adopt(timeout: number): void {
    const { db } = this.#handle;
    this.#timeout = timeout;
    this.#handle.privately(() => db.exec(`PRAGMA busy_timeout = ${Math.min(timeout, BUSY_SLICE_MS)}`));
  }
}
