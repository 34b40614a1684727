import type { DatabaseHandle } from "../database-handle.js";
import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";

/** The driver's own statements about the schema. */
interface Probes {
  readonly schemaVersion: EngineStatement;
  readonly databases: EngineStatement;
  readonly tempVersion: EngineStatement;
  readonly tempTables: EngineStatement;
}

/** Notices schema changes. */
export class SchemaWatch {
  readonly #handle: DatabaseHandle;
  #db: EngineDatabase | null = null;
  #probes: Probes | null = null;
  /**
   * Counts schema objects whose effect reaches beyond their own statement. Compiled at its first use: most connections
   * never group writes.
   */
  #reachingOut: EngineStatement | null = null;
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
      // Changes with each object that is created, altered or dropped; a rollback restores it.
      tempVersion: prepareOwn(db, "PRAGMA temp.schema_version").pluck(),
      tempTables: prepareOwn(db, "SELECT count(*) FROM sqlite_temp_schema WHERE type = 'table'").pluck(),
    };
  }

  close(): void {
    this.#db = this.#probes = this.#reachingOut = null;
  }

  /** The present schema version; null if it is locked, or if statements can see several databases. */
  version(): unknown {
    if (this.#attached) return null;
    try {
      return this.#ask("schemaVersion");
    } catch {
      return null;
    }
  }

  /** Changes whenever the connection's temporary objects change. */
  get tempVersion(): unknown {
    return this.#ask("tempVersion");
  }

  get hasTempTables(): boolean {
    return this.#ask("tempTables") !== 0;
  }

  /**
   * Makes SQLite notice a schema change of another connection. SQLite checks when a statement runs, and when it
   * compiles a statement with an unknown table. Compiling takes no snapshot, which a deferred transaction must not take
   * yet.
   */
  refresh(): void {
    this.#handle.privately(() => {
      try {
        this.#db?.prepare("SELECT 1 FROM main.sqlite_aio_no_such_table");
      } catch {
        // The error is expected.
      }
    });
  }

  /** The schema has objects for which it matters whether a statement is alone in its transaction. */
  get reachesOut(): boolean {
    this.look();
    if (this.#attached) return true;
    if (this.#reachEpoch !== this.#epoch) {
      try {
        this.#reachesOut = this.#handle.privately(() => this.#countReachingOut()) !== 0;
      } catch {
        // Locked: the first statement waits by itself.
        return true;
      }
      this.#reachEpoch = this.#epoch;
    }
    return this.#reachesOut;
  }

  #countReachingOut(): unknown {
    const { db } = this.#handle;
    this.#reachingOut ??= prepareOwn(db, REACHING_OUT).pluck();
    return this.#reachingOut.get();
  }

  /** Increases with every sign of a schema change. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Notes that column names must be checked again. */
  mayHaveChanged(): void {
    this.#epoch++;
    this.#countDatabases();
  }

  #countDatabases(): void {
    try {
      // The pragma, because the table-valued function takes a snapshot.
      const list = this.#handle.privately(() => this.#probes?.databases.all()) as
        | [number, string][]
        | undefined;
      this.#attached = (list ?? []).filter(([, name]) => name !== "temp").length > 1;
      this.#counted = true;
    } catch {
      // Locked: assume several databases until they can be counted.
      this.#attached = true;
      this.#counted = false;
    }
  }

  /**
   * Checks for schema changes of other connections, once per reply (0.8 to 5 us, a transaction of its own) and not per
   * statement (3 us). Statements of the companion do not need it: SQLite tells when it compiles one again. The change
   * may have come after this reply's rows were read; then their names are older than the version seen now. So a version
   * counts as known only when it is seen a second time.
   */
  look(): void {
    if (!this.#counted) this.#countDatabases();
    if (this.#handle.inTransaction) {
      // Reading the version in a fresh transaction would take its snapshot. If another connection then commits, the
      // transaction could no longer write.
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
      // Locked: check every statement instead.
    }
    this.#epoch++;
  }

  #ask(probe: Exclude<keyof Probes, "databases">): unknown {
    return this.#handle.privately(() => this.#probes?.[probe].get());
  }
}

/**
 * Objects that reach beyond their own statement. Deferred constraints are checked at COMMIT, when it is unknown which
 * statement violated them. RAISE(ROLLBACK) and ON CONFLICT ROLLBACK end the shared transaction. Counts of earlier
 * statements differ when a group runs again.
 */
const REACHING_OUT = `
  SELECT count(*) FROM (SELECT type, sql FROM sqlite_schema UNION ALL SELECT type, sql FROM sqlite_temp_schema)
  WHERE sql LIKE '%DEFERR%' OR sql LIKE '%ROLLBACK%' OR sql LIKE '%last_insert_rowid%'
    OR (type = 'trigger' AND sql LIKE '%changes%(%')`;
