import { BUSY_SLICE_MS, LOCK_CODES } from "../engine/lock-codes.js";
import type { Session } from "./session.js";
import { type Control, sleep } from "../wire/control-block.js";
import { codeOf } from "../wire/fault.js";

/** How long the running operation waits for the locks of others. */
export class LockWait {
  readonly #session: Session;
  readonly #control: Control;
  /** Milliseconds for each lock. */
  timeout = 0;
  /** When the last attempt began, and the lock that holds the operation up: how far it was, since when. */
  #attempted = 0;
  #locked: { readonly progress: number; readonly since: number } | null = null;

  constructor(session: Session, control: Control) {
    this.#session = session;
    this.#control = control;
  }

  /** An attempt at an operation begins at `now`. */
  attempt(first: boolean, now: number): void {
    this.#attempted = now;
    if (first) this.#locked = null;
  }

  /**
   * Whether a lock was met that is worth waiting for. SQLite answers BUSY without waiting where waiting could never
   * end (two readers that both want to write), so while this side reads only a BUSY that took its time counts.
   * `progress` tells the locks of one operation apart, each of which may hold it up for the timeout.
   */
  mayRetry(error: unknown, progress: number): boolean {
    const session = this.#session;
    if (session.interrupted) return false;
    const code = codeOf(error);
    // Outside a transaction the next attempt sees the next snapshot.
    const stale =
      code === "SQLITE_BUSY_SNAPSHOT" && !session.inTransaction && session.executor.openCursors === 0;
    if (!stale && !LOCK_CODES.has(code)) return false;
    const now = performance.now();
    if (this.#locked?.progress !== progress) {
      this.#locked = { progress, since: Math.max(this.#attempted, now - BUSY_SLICE_MS) };
    }
    if (now - this.#locked.since >= this.timeout) return false;
    if (now - this.#attempted > BUSY_SLICE_MS / 2) return true;
    if (session.inTransaction || session.executor.openCursors > 0) return false;
    // Some locks are not waited for by the engine at all.
    sleep(this.#control, 5);
    return true;
  }
}
