import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";

type Privately = <T>(work: () => T) => T;

/** Statements of our own about the schema. */
interface Probes {
  readonly schemaVersion: EngineStatement;
  readonly databases: EngineStatement;
  readonly tempObjects: EngineStatement;
  readonly anyObject: EngineStatement;
  /** What of the schema would not keep its effect to its own statement. */
  readonly reachingOut: EngineStatement;
}

/** Notices when the schema is another one than before. */
export class SchemaWatch {
  readonly #privately: Privately;
  #probes: Probes | null = null;
  #epoch = 0;
  #schemaVersion: unknown = null;
  #schemaSettled = false;
  /** The version at the last {@link refresh}. */
  #refreshed: unknown = null;
  #attached = false;
  #counted = true;
  #reachesOut = false;
  /** The schema epoch that `#reachesOut` belongs to. */
  #reachEpoch = -1;

  constructor(privately: Privately) {
    this.#privately = privately;
  }

  open(db: EngineDatabase): void {
    this.#refreshed = null;
    this.#probes = {
      schemaVersion: db.prepare("PRAGMA schema_version").pluck(),
      databases: db.prepare("SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'").pluck(),
      reachingOut: db.prepare(REACHING_OUT).pluck(),
      tempObjects: db.prepare("SELECT count(*) FROM sqlite_temp_schema").pluck(),
      anyObject: db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").pluck(),
    };
  }

  close(): void {
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

  /** How many temporary objects belong to the connection. */
  get tempObjects(): unknown {
    return this.#ask("tempObjects");
  }

  /**
   * Lets the engine find out that another connection has changed the schema, which it does when it runs a statement: one
   * that it compiles is judged by the schema of before. False if it has been so, or cannot be now.
   */
  refresh(): boolean {
    try {
      const version = this.#ask("schemaVersion");
      if (version === this.#refreshed) return false;
      this.#ask("anyObject");
      this.#refreshed = version;
      return true;
    } catch {
      return false;
    }
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
      const count = this.#ask("databases");
      this.#attached = typeof count === "number" && count > 1;
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

  #ask(probe: keyof Probes): unknown {
    return this.#privately(() => this.#probes?.[probe].get());
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
