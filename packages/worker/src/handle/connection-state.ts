import type { SchemaWatch } from "./changes/schema-watch.js";
import type { DatabaseHandle } from "./database-handle.js";
import { type Statement, writesTemp } from "./statement.js";
import type { StatementFacts } from "../sql/statement-facts.js";
import { Taint } from "../sql/taint.js";
import { UsageError } from "../wire/fault.js";
import { Flag } from "../wire/protocol.js";

/** Knows whether a connection was changed in a way that its next holder could notice. */
export class ConnectionState {
  readonly #handle: DatabaseHandle;
  readonly #schema: SchemaWatch;
  #pooled = false;
  #tainted = false;
  #outlasted = false;
  /** The version of the temp schema that counts as clean, and whether it has tables. */
  #tempVersion: unknown = 0;
  #tempTables = false;

  constructor(handle: DatabaseHandle, schema: SchemaWatch) {
    this.#handle = handle;
    this.#schema = schema;
  }

  /** Call it when a handle was opened. Its present state counts as clean. */
  opened(pooled: boolean): void {
    this.#pooled = pooled;
    this.settle();
  }

  /** Takes the present state of the connection as clean. */
  settle(): void {
    this.#tainted = false;
    this.#tempVersion = this.#schema.tempVersion;
    this.#tempTables = this.#schema.hasTempTables;
  }

  get tainted(): boolean {
    return this.#tainted;
  }

  /** Notes that the next holder could notice a change. */
  taint(): void {
    this.#tainted = true;
  }

  /** Notes a change that outlasts the handle, in the thread or the process. */
  outlast(): void {
    this.#outlasted = true;
  }

  get outlasted(): boolean {
    return this.#outlasted;
  }

  /** Throws for statements that would have no effect, or affect other connections: see {@link OpenOptions.pooled}. */
  check(facts: StatementFacts, flags: number): void {
    if (facts.taint < Taint.SURE) return;
    if (this.#pooled && facts.taint === Taint.PROCESS) {
      throw new UsageError(
        "SETTING",
        'this pragma holds for the whole process, and would outlive the lease: set it by the pool\'s option "pragmas"',
      );
    }
    if (facts.taint === Taint.PROCESS) this.outlast();
    if (!this.#handle.inTransaction || !(this.#pooled || (flags & Flag.IN_TRANSACTION) !== 0)) return;
    if (!facts.setsForeignKeys) return;
    throw new UsageError(
      "SETTING",
      "SQLite ignores PRAGMA foreign_keys inside a transaction: set it before BEGIN on a connection that pool.acquire() gives, or put PRAGMA defer_foreign_keys = ON into the transaction",
    );
  }

  /** Notes what a statement leaves behind besides its transaction. */
  taintBy(taint: number): void {
    if (taint === Taint.SURE || (taint === Taint.PERHAPS && this.#schema.tempVersion !== this.#tempVersion))
      this.#tainted = true;
  }

  /** {@link taintBy} for a statement that writes: rows of a temporary table are left behind, too. */
  wroteBy(statement: Statement): void {
    if (!this.#tempTables || this.#tainted || !statement.dml) return;
    const { db } = this.#handle;
    if (this.#handle.privately(() => statement.writesTemp(db, this.#schema.epoch))) this.#tainted = true;
  }

  /** The same for a value that was written through a blob. */
  wroteInto(database: string): void {
    if (database.toLowerCase() === "temp") this.#tainted = true;
  }

  /** The same for a statement of a script. */
  scriptWrote(facts: StatementFacts): void {
    if (!this.#tempTables || this.#tainted || !facts.writes) return;
    const { db } = this.#handle;
    if (this.#handle.privately(() => writesTemp(db, facts))) this.#tainted = true;
  }
}
