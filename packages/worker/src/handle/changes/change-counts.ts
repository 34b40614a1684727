import type { DatabaseHandle } from "../database-handle.js";
import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";

/** Statements of our own that count. */
interface Probes {
  readonly total: EngineStatement;
  readonly last: EngineStatement;
}

/** What SQLite counts of a handle: the rows that were changed, and the rowid that was inserted last. */
export class ChangeCounts {
  readonly #handle: DatabaseHandle;
  #probes: Probes | null = null;
  #total = 0;
  #wrote = false;
  #lastInsertRowid: number | bigint = 0;
  /** It may be another by now. */
  #rowidUnknown = false;

  constructor(handle: DatabaseHandle) {
    this.#handle = handle;
  }

  open(db: EngineDatabase): void {
    this.#probes = {
      total: prepareOwn(db, "SELECT total_changes()").pluck(),
      last: prepareOwn(db, "SELECT changes(), last_insert_rowid()").raw().safeIntegers(),
    };
    this.#wrote = true;
  }

  close(): void {
    this.#probes = null;
    this.#rowidUnknown = false;
  }

  /** There may be more changes. */
  wrote(): void {
    this.#wrote = true;
  }

  /** `total_changes()`, which is asked only after a write. */
  total(): number {
    if (this.#wrote && this.#probes !== null) this.#total = Number(this.#ask("total"));
    this.#wrote = false;
    return this.#total;
  }

  /** {@link total} as of the last time that it was asked. */
  get knownTotal(): number {
    return this.#total;
  }

  get lastInsertRowid(): number | bigint {
    if (this.#rowidUnknown && this.#probes !== null) this.last();
    return this.#lastInsertRowid;
  }

  /** A statement told it with its result. */
  inserted(rowid: number | bigint): void {
    this.#lastInsertRowid = rowid;
    this.#rowidUnknown = false;
  }

  /** `changes()` and `last_insert_rowid()` of the statement that ran last. */
  last(): readonly [changes: number, rowid: bigint] {
    const [changes, rowid] = this.#ask("last") as [bigint, bigint];
    this.inserted(rowid);
    return [Number(changes), rowid];
  }

  /** What ran was not told apart by its results. */
  rowidMayHaveChanged(): void {
    this.#rowidUnknown = true;
  }

  #ask(probe: keyof Probes): unknown {
    return this.#handle.privately(() => this.#probes![probe].get());
  }
}
