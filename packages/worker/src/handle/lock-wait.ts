import { BUSY_SLICE_MS, LOCK_CODES } from "../engine/lock-codes.js";
import type { DatabaseHandle } from "./database-handle.js";
import type { OpenCursors } from "./cursors/open-cursors.js";
import { type Control, isCancelled, sleep } from "../wire/control-block.js";
import type { StatementFacts } from "../sql/statement-facts.js";
import { codeOf } from "../wire/fault.js";

/** Decides how long the running operation waits for locks of other connections. */
export class LockWait {
  readonly #handle: DatabaseHandle;
  readonly #cursors: OpenCursors;
  readonly #control: Control;
  /** Maximum wait for each lock, in milliseconds. */
  #timeout = 0;
  #sequence = 0;
  /**
   * Start of the last attempt; and the lock that holds the operation up: the operation's progress then, and the start
   * of the wait.
   */
  #attempted = 0;
  #locked: { readonly progress: number; readonly since: number } | null = null;
  /** It was said of the attempt that it is the last. */
  #last = false;
  /** In the attempt SQLite itself may have waited for the whole timeout. */
  #whole = false;

  constructor(handle: DatabaseHandle, cursors: OpenCursors, control: Control) {
    this.#handle = handle;
    this.#cursors = cursors;
    this.#control = control;
  }

  /** The number of the running operation. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The operation was cancelled, or the thread has to stop. */
  get interrupted(): boolean {
    return isCancelled(this.#control, this.#sequence);
  }

  /** Notes that an attempt at an operation begins at `now`. */
  attempt(sequence: number, first: boolean, now: number): void {
    this.#sequence = sequence;
    this.#attempted = now;
    this.#last = false;
    this.#whole = false;
    if (first) this.#locked = null;
  }

  /**
   * Whether `error` is a lock that is worth waiting for. SQLite answers BUSY at once if waiting could never end (two
   * readers that both want to write). So while this connection is reading, only a BUSY that came after a wait counts.
   * `progress` distinguishes the locks of one operation; each of them may take the whole timeout.
   * No holds for the whole attempt: the transaction may be rolled back since, and the rest must not be tried alone.
   */
  mayRetry(error: unknown, progress = 0): boolean {
    this.#last ||= !this.#worthWaiting(error, progress);
    return !this.#last;
  }

  #worthWaiting(error: unknown, progress: number): boolean {
    if (this.interrupted) return false;
    const code = codeOf(error);
    const { inTransaction } = this.#handle;
    // Outside a transaction the next attempt gets a new snapshot.
    const stale = code === "SQLITE_BUSY_SNAPSHOT" && !inTransaction && this.#cursors.size === 0;
    if (!stale && !LOCK_CODES.has(code)) return false;
    const now = performance.now();
    if (this.#locked?.progress !== progress) {
      const slice = this.#whole ? Number.POSITIVE_INFINITY : BUSY_SLICE_MS;
      this.#locked = { progress, since: Math.max(this.#attempted, now - slice) };
    }
    if (now - this.#locked.since >= this.#timeout) return false;
    if (now - this.#attempted > BUSY_SLICE_MS / 2) return true;
    if (inTransaction || this.#cursors.size > 0) return false;
    // SQLite does not wait for some locks at all.
    sleep(this.#control, 5);
    return true;
  }

  /** Call it before a handle is opened that waits for `timeout` ms. */
  opening(timeout: number): void {
    this.#timeout = timeout;
  }

  /** Runs `PRAGMA busy_timeout`. Returns the milliseconds that this connection waits for a lock. */
  busyTimeout(pragma: "reads" | "sets", sql: string): number {
    if (pragma === "sets") {
      // SQLite sets the timeout when it compiles the pragma. It would then block in one native call for that long, so a
      // shorter time is set instead.
      this.#exec(sql);
      this.#adopt(this.#engineTimeout());
    }
    return this.#timeout;
  }

  /**
   * Runs `work`, all of the statement. Where its text names the pragma's table, which asks SQLite, SQLite knows the whole
   * timeout meanwhile. Then it also waits for locks by itself.
   */
  telling<T>({ namesBusyTimeout }: StatementFacts, work: () => T): T {
    if (!namesBusyTimeout) return work();
    this.#whole = true;
    this.#setEngine(this.#timeout);
    try {
      return work();
    } finally {
      this.#setEngine(Math.min(this.#timeout, BUSY_SLICE_MS));
    }
  }

  /** Adopts a timeout that was set on a handle opened with `given` ms. */
  adoptUnless(given: number): void {
    const timeout = this.#engineTimeout();
    if (timeout !== Math.min(given, BUSY_SLICE_MS)) this.#adopt(timeout);
  }

  #engineTimeout(): number {
    const { db } = this.#handle;
    return this.#handle.privately(() => Number(db.prepare("PRAGMA busy_timeout").pluck().get()));
  }

  #adopt(timeout: number): void {
    this.#timeout = timeout;
    this.#setEngine(Math.min(timeout, BUSY_SLICE_MS));
  }

  #setEngine(timeout: number): void {
    this.#exec(`PRAGMA busy_timeout = ${timeout}`);
  }

  #exec(sql: string): void {
    const handle = this.#handle;
    handle.privately(() => handle.besideCursors(() => handle.db.exec(sql)));
  }
}
