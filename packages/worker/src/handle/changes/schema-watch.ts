import type { DatabaseHandle } from "../database-handle.js";
import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";

/** Statements of our own about the schema. */
interface Probes {
  readonly schemaVersion: EngineStatement;
  readonly databases: EngineStatement;
  readonly tempVersion: EngineStatement;
  readonly tempTables: EngineStatement;
  /** What of the schema would not keep its effect to its own statement. */
  readonly reachingOut: EngineStatement;
}

/** Notices when the schema is another one than before. */
export class SchemaWatch {
  readonly #handle: DatabaseHandle;
  #db: EngineDatabase | null = null;
  #probes: Probes | null = null;
  #epoch = 0;
  #schemaVersion: unknown = null;
  #schemaSettled = false;
  #attached = false;
  #counted = true;
  #reachesOut = false;
  /** The schema epoch that `#reachesOut` belongs to. */
  #reachEpoch = -1;

  constructor(handle: DatabaseHandle) {
    this.#handle = handle;
  }

  open(db: EngineDatabase): void {
    this.#db = db;
    this.#probes = {
      schemaVersion: prepareOwn(db, "PRAGMA schema_version").pluck(),
      databases: prepareOwn(db, "PRAGMA database_list").raw(),
      reachingOut: prepareOwn(db, REACHING_OUT).pluck(),
      // Moves on with each object that is created, altered or dropped; what is rolled back takes it back.
      tempVersion: prepareOwn(db, "PRAGMA temp.schema_version").pluck(),
      tempTables: prepareOwn(db, "SELECT count(*) FROM sqlite_temp_schema WHERE type = 'table'").pluck(),
    };
  }

  close(): void {
    this.#db = null;
    this.#probes = null;
  }

  /** Of the schema at this moment; null where it is locked, or not all that statements can see. */
  version(): unknown {
    if (this.#attached) return null;
    try {
      return this.#ask("schemaVersion");
    } catch {
      return null;
    }
  }

  /** Another one as soon as the connection has other temporary objects. */
  get tempVersion(): unknown {
    return this.#ask("tempVersion");
  }

  get hasTempTables(): boolean {
    return this.#ask("tempTables") !== 0;
  }

  /**
   * Lets the engine find out that another connection has changed the schema. It looks when a statement runs, and when one
   * that it compiles names a table that it does not know; that takes no snapshot, which a deferred transaction may not have.
   */
  refresh(): void {
    this.#handle.privately(() => {
      try {
        this.#db?.prepare("SELECT 1 FROM main.sqlite_aio_no_such_table");
      } catch {
        // As it was meant to.
      }
    });
  }

  /** The schema has something for which it matters whether a statement is alone in its transaction. */
  get reachesOut(): boolean {
    this.look();
    if (this.#attached) return true;
    if (this.#reachEpoch !== this.#epoch) {
      try {
        this.#reachesOut = this.#ask("reachingOut") !== 0;
      } catch {
        // Locked: whoever comes first waits by itself.
        return true;
      }
      this.#reachEpoch = this.#epoch;
    }
    return this.#reachesOut;
  }

  /** Moves on with every sign of another schema. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Column names are to be looked at again. */
  mayHaveChanged(): void {
    this.#epoch++;
    this.#countDatabases();
  }

  #countDatabases(): void {
    try {
      // Not the table-valued function, which takes a snapshot.
      const list = this.#handle.privately(() => this.#probes?.databases.all()) as
        | [number, string][]
        | undefined;
      this.#attached = (list ?? []).filter(([, name]) => name !== "temp").length > 1;
      this.#counted = true;
    } catch {
      // Locked: taken for several until that can be said.
      this.#attached = true;
      this.#counted = false;
    }
  }

  /**
   * Once per reply, not per row: another connection may have altered a table (0.8 us against 3 us per statement). It may
   * also have done so after the rows of this reply were read, so that their names are older than the version seen now:
   * a version counts as known when it is seen a second time.
   */
  look(): void {
    if (!this.#counted) this.#countDatabases();
    if (this.#handle.inTransaction) {
      // To ask for the version would take the snapshot of a transaction that has read nothing yet, and so keep it from writing
      // once another connection has committed.
      this.#epoch++;
      return;
    }
    try {
      const version = this.#ask("schemaVersion");
      const known = version === this.#schemaVersion;
      if (known && this.#schemaSettled && !this.#attached) return;
      this.#schemaSettled = known;
      this.#schemaVersion = version;
    } catch {
      // Locked: look at every statement instead.
    }
    this.#epoch++;
  }

  #ask(probe: Exclude<keyof Probes, "databases">): unknown {
    return this.#handle.privately(() => this.#probes?.[probe].get());
  }
}

/**
 * Constraints that are checked at COMMIT, when one could not tell whose fault it is; RAISE(ROLLBACK) and ON CONFLICT
 * ROLLBACK, which end the transaction of all; counts of what ran before, which differ when a group is run again.
 */
const REACHING_OUT = `
  SELECT count(*) FROM (SELECT type, sql FROM sqlite_schema UNION ALL SELECT type, sql FROM sqlite_temp_schema)
  WHERE sql LIKE '%DEFERR%' OR sql LIKE '%ROLLBACK%' OR sql LIKE '%last_insert_rowid%'
    OR (type = 'trigger' AND sql LIKE '%changes%(%')`;
