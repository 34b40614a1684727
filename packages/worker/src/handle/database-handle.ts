import type { EngineDatabase } from "../engine/engine-api.js";
import type { Limits } from "./limits.js";
import type { OpenCursors } from "./cursors/open-cursors.js";
import { codeOf, UsageError } from "../wire/fault.js";

/** The engine's handle, which may be replaced by another one, and how statements of our own are run on it. */
export class DatabaseHandle {
  readonly #cursors: OpenCursors;
  readonly #limits: Limits;
  #db: EngineDatabase | null = null;
  #token = 0;
  /** Above zero while a statement of our own runs. */
  #private = 0;
  /** The engine is told to allow work beside open cursors at this moment. */
  #unsafe = false;
  /** The running operation had a transaction open. */
  #wasInTransaction = false;

  constructor(cursors: OpenCursors, limits: Limits) {
    this.#cursors = cursors;
    this.#limits = limits;
  }

  /** Throws where none is open. */
  get db(): EngineDatabase {
    if (this.#db === null) throw new UsageError("CLOSED", "Connection closed");
    return this.#db;
  }

  get isOpen(): boolean {
    return this.#db !== null;
  }

  /** What the native companion calls it; 0 without it. */
  get token(): number {
    return this.#token;
  }

  opened(db: EngineDatabase): void {
    this.#db = db;
  }

  attached(token: number): void {
    this.#token = token;
  }

  close(): void {
    const db = this.#db;
    this.#db = null;
    this.#token = 0;
    db?.close();
  }

  get inTransaction(): boolean {
    return this.#db?.inTransaction ?? false;
  }

  /** An operation begins, or a transaction for it: an error after which none is open has rolled it back. */
  noteTransaction(): void {
    this.#wasInTransaction = this.inTransaction;
  }

  /** The running operation had a transaction, which is gone. */
  get lostTransaction(): boolean {
    return this.#wasInTransaction && !this.inTransaction;
  }

  /** A statement of our own runs, about which nobody is to be asked. */
  get runsPrivately(): boolean {
    return this.#private > 0;
  }

  /** Runs a statement of our own, which no authorizer is asked about and no limit holds for. */
  privately<T>(work: () => T): T {
    if (this.#private++ === 0) this.#limits.lift();
    try {
      for (let attempts = 0; ; attempts++) {
        try {
          return work();
        } catch (error) {
          if (codeOf(error) !== "SQLITE_INTERRUPT" || attempts === 2) throw error;
          // It was meant for the statement before; SQLite forgets it once no cursor is half read.
          this.#cursors.interrupt();
        }
      }
    } finally {
      if (--this.#private === 0) this.#limits.restore();
    }
  }

  /** Runs what the engine takes for a change, and refuses beside an open iterator unless told otherwise. */
  besideCursors<T>(work: () => T): T {
    // Work inside of work must not end it.
    if (this.#cursors.size === 0 || this.#unsafe) return work();
    // Only for the moment: unsafe mode also takes SQLite's defensive flag off.
    this.#unsafe = true;
    this.db.unsafeMode(true);
    try {
      return work();
    } finally {
      this.db.unsafeMode(false);
      this.#unsafe = false;
      this.#limits.restoreDefensive();
    }
  }
}
