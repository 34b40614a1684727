import type { DatabaseHandle } from "../database-handle.js";
import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";

/** The driver's own statements that read the counts. */
interface Probes {
  readonly total: EngineStatement;
  readonly last: EngineStatement;
}

/** SQLite's counts of a handle: changed rows, and the last inserted rowid. */
export class ChangeCounts {
  readonly #handle: DatabaseHandle;
  #probes: Probes | null = null;
  #total = 0;
  /** What `total_changes()` counts too much. */
  #undone = 0;
  #wrote = false;
  #lastInsertRowid: number | bigint = 0;
  /** The rowid may have changed since. */
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
    this.#undone = 0;
  }

  close(): void {
    this.#probes = null;
    this.#rowidUnknown = false;
  }

  /** Notes that rows may have changed. */
  wrote(): void {
    this.#wrote = true;
  }

  /** `total_changes()` without the rows of {@link undone}. It is read only after a write. */
  total(): number {
    if (this.#wrote && this.#probes !== null) this.#total = Number(this.#ask("total")) - this.#undone;
    this.#wrote = false;
    return this.#total;
  }

  /** Notes that what was changed since {@link total} was `total` is undone, by the driver and not by its caller. */
  undone(total: number): void {
    this.wrote();
    this.#undone += this.total() - total;
    this.#total = total;
  }

  /** The last value of {@link total}. */
  get knownTotal(): number {
    return this.#total;
  }

  get lastInsertRowid(): number | bigint {
    if (this.#rowidUnknown && this.#probes !== null) this.last();
    return this.#lastInsertRowid;
  }

  /** Notes the rowid that came with a statement's result. */
  inserted(rowid: number | bigint): void {
    this.#lastInsertRowid = rowid;
    this.#rowidUnknown = false;
  }

  /** `changes()` and `last_insert_rowid()` of the last statement. */
  last(): readonly [changes: number, rowid: bigint] {
    const [changes, rowid] = this.#ask("last") as [bigint, bigint];
    this.inserted(rowid);
    return [Number(changes), rowid];
  }

  /** Notes that the rowid is unknown. */
  rowidMayHaveChanged(): void {
    this.#rowidUnknown = true;
  }

  #ask(probe: keyof Probes): unknown {
    return this.#handle.privately(() => this.#probes![probe].get());
  }
}
