import type { EngineDatabase } from "../engine/engine-api.js";
import type { Limits } from "./limits.js";
import type { OpenCursors } from "./cursors/open-cursors.js";
import { codeOf, UsageError } from "../wire/fault.js";

/** Holds the engine's handle, which may be replaced, and runs the driver's own statements on it. */
export class DatabaseHandle {
  readonly #cursors: OpenCursors;
  readonly #limits: Limits;
  readonly #clearInterrupt: () => void;
  #db: EngineDatabase | null = null;
  #token = 0;
  /** Above zero while one of the driver's own statements runs. */
  #private = 0;
  /** The engine's unsafe mode is on, which allows work beside open cursors. */
  #unsafe = false;
  /** A transaction was open when the running operation began. */
  #wasInTransaction = false;

  constructor(cursors: OpenCursors, limits: Limits, clearInterrupt: () => void) {
    this.#cursors = cursors;
    this.#limits = limits;
    this.#clearInterrupt = clearInterrupt;
  }

  /** Throws if no handle is open. */
  get db(): EngineDatabase {
    if (this.#db === null) throw new UsageError("CLOSED", "Connection closed");
    return this.#db;
  }

  get isOpen(): boolean {
    return this.#db !== null;
  }

  /** The native companion's number of the handle; 0 without it. */
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

  /**
   * Call it when an operation begins, or a transaction for it. If an error leaves no transaction open, {@link
   * lostTransaction} is true.
   */
  noteTransaction(): void {
    this.#wasInTransaction = this.inTransaction;
  }

  /** The running operation's transaction has been rolled back. */
  get lostTransaction(): boolean {
    return this.#wasInTransaction && !this.inTransaction;
  }

  /** One of the driver's own statements runs, so no authorizer is called. */
  get runsPrivately(): boolean {
    return this.#private > 0;
  }

  /** Runs one of the driver's own statements, without an authorizer and without limits. */
  privately<T>(work: () => T): T {
    if (this.#private++ === 0) this.#limits.lift();
    try {
      for (let attempts = 0; ; attempts++) {
        try {
          return work();
        } catch (error) {
          if (codeOf(error) !== "SQLITE_INTERRUPT" || attempts === 2) throw error;
          // The interrupt was meant for the previous statement.
          this.#clearInterrupt();
        }
      }
    } finally {
      if (--this.#private === 0) this.#limits.restore();
    }
  }

  /** Runs work that the engine treats as a change and refuses beside an open iterator. */
  besideCursors<T>(work: () => T): T {
    // Nested calls must not turn unsafe mode off.
    if (this.#cursors.size === 0 || this.#unsafe) return work();
    // Only while `work` runs: unsafe mode also turns SQLite's defensive flag off.
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
