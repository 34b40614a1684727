import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";
import { type Native, native, needsNative } from "../../engine/native.js";
import type { DatabaseHandle } from "../database-handle.js";
import type { SchemaWatch } from "./schema-watch.js";
import type { Statement } from "../statement.js";
import { quoteName } from "../../sql/quote.js";
import { StatementFacts } from "../../sql/statement-facts.js";
import { codeOf } from "../../wire/fault.js";
import type { ChangeReport, TableAccess } from "../../wire/change-report.js";

/** Rows of one table that are listed; of more only the table is named. */
const MAX_ROWIDS = 1000;

/** Stands for what a transaction changed before anybody wanted to know. SQLite keeps such names to itself. */
const UNSEEN = "sqlite_aio_unseen";

/** What has changed, of which the update hook says nothing, is marked by hand. */
const UNTRACKED = `SELECT count(*) FROM pragma_table_list
  WHERE (wr OR type = 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`;

/** Virtual tables that change only when they are written to; others may show anything. */
const CLOSED_MODULE =
  /^\s*CREATE\s+VIRTUAL\s+TABLE\b.*?\bUSING\s+["'`[]?(?:fts[345]|rtree(?:_i32)?|geopoly)\b/is;
const OPEN_CONTENT = /\bcontent\s*=/i;

/** Functions that are read as tables, and show nothing but their arguments. */
const PURE_FUNCTIONS = new Set([
  "json_each",
  "json_tree",
  "jsonb_each",
  "jsonb_tree",
  "generate_series",
  "carray",
  "fts3tokenize",
]);

/** Pragmas that write into the file what no table shows. */
const HEADER_PRAGMAS = new Set([
  "user_version",
  "application_id",
  "schema_version",
  "auto_vacuum",
  "incremental_vacuum",
  "journal_mode",
  "encoding",
  "page_size",
]);

/** The databases in which VACUUM copies the tables of others. */
const VACUUM_COPY = /^vacuum_[0-9a-f]{16}$/;

type Name = readonly [database: string, table: string];

interface Probes {
  readonly versions: Versions;
  readonly totalChanges: EngineStatement;
  readonly untracked: EngineStatement;
}

/** Tells what committed transactions have changed, while somebody wants to know. */
export class ChangeTracker {
  readonly #handle: DatabaseHandle;
  readonly #schemaWatch: SchemaWatch;
  #wanted = false;
  #token = 0;
  #probes: Probes | null = null;
  /** Something ran that may have committed. */
  #stirred = false;
  /** Any table may have changed. */
  #anything = false;
  /** Of each file, as seen last; null: not looked at yet. */
  #dataVersions: DatabaseVersions | null = null;
  /** A handle that is closed by now had seen another one. */
  #outside = false;
  #schemaVersions: DatabaseVersions | null = null;
  /** Which schema {@link #untrackedTables} was found in. */
  #schema = "";
  #untrackedTables = false;

  constructor(handle: DatabaseHandle, schema: SchemaWatch) {
    this.#handle = handle;
    this.#schemaWatch = schema;
  }

  /** A handle is open. */
  attached(token: number): void {
    this.#token = token;
    if (this.#wanted && token !== 0) this.#start();
  }

  /** The handle is about to close; another one may follow. */
  detached(): void {
    if (this.#probes !== null && this.externally() === true) this.#outside = true;
    this.#probes = null;
    this.#token = 0;
    this.#dataVersions = null;
  }

  /** Other contents took the place of the handle's. */
  replaced(): void {
    if (this.#wanted) this.#anything = true;
  }

  /** Starts or stops. */
  track(on: boolean): void {
    if (on) this.#require();
    this.#outside = this.#anything = false;
    if (on) this.#start();
    else if (this.#probes !== null) {
      native?.trackChanges(this.#token, false);
      this.#probes = null;
    }
    // Last: where a lock is in the way of the start, it is tried again.
    this.#wanted = on;
  }

  #require(): void {
    if (native === null || this.#token === 0) throw needsNative('the event "change"');
  }

  #start(): void {
    const handle = this.#handle;
    const { db } = handle;
    const probes = handle.privately(() => ({
      versions: new Versions(db),
      totalChanges: prepareOwn(db, "SELECT total_changes()").pluck(),
      untracked: prepareOwn(db, UNTRACKED).pluck(),
    }));
    const unseenIn = db.inTransaction ? handle.privately(() => databases(db)) : null;
    native?.trackChanges(this.#token, true, MAX_ROWIDS);
    this.#probes = probes;
    this.#schema = "";
    if (unseenIn !== null) {
      for (const [database] of unseenIn) native?.markChanged(this.#token, database, UNSEEN);
      return;
    }
    this.#schemaVersions = this.#look(({ versions }) => versions.ofSchemas());
    this.#dataVersions = this.#look(({ versions }) => versions.ofData());
  }

  /** Null where another connection's lock is in the way. */
  #look<T>(at: (probes: Probes) => T): T | null {
    try {
      return this.#handle.privately(() => at(this.#probes!));
    } catch {
      return null;
    }
  }

  /** What was written to a table that tracking does not see. */
  mark(database: string, table: string): void {
    if (this.#probes === null) return;
    this.#stirred = true;
    native?.markChanged(this.#token, database, table);
  }

  /** Somebody wants to know. */
  get tracking(): boolean {
    return this.#probes !== null;
  }

  /** Whether tracking sees all that is about to be written in a transaction that may write, so that nobody need {@link watch}. */
  seesWrites(): boolean {
    if (!this.tracking) return true;
    this.#stirred = true;
    return !this.#hasUntracked();
  }

  /**
   * Runs what may write, and marks the tables that tracking does not see. `source` is what the work runs, null if it can change
   * no table.
   */
  mutate<T>(source: Statement | StatementFacts | null, work: () => T): T {
    return this.#handle.besideCursors(() => this.#watch(source, work));
  }

  #watch<T>(source: Statement | StatementFacts | null, work: () => T): T {
    if (this.#probes === null) return work();
    this.#stirred = true;
    if (source !== null && changesUnseen(source instanceof StatementFacts ? source : source.facts)) {
      const result = work();
      native?.markChanged(this.#token, "main", UNSEEN);
      return result;
    }
    if (source === null) return work();
    const open = this.#handle.inTransaction;
    // To ask for the schema would take the snapshot of a transaction that has read nothing yet, and so keep it from writing
    // once another connection has committed: it is asked for after the write, which takes the snapshot itself.
    const early = open ? null : this.#untracked(source);
    if (early?.length === 0) return work();
    const before = this.#look(totalChanges);
    try {
      return work();
    } finally {
      const rolledBack = this.#handle.lostTransaction || (open && !this.#handle.inTransaction);
      if (!rolledBack && this.#look(totalChanges) !== before)
        for (const [database, table] of early ?? this.#untracked(source))
          native?.markChanged(this.#token, database, table);
    }
  }

  /** Which of the tables that `source` writes have to be marked. */
  #untracked(source: Statement | StatementFacts): readonly Name[] {
    if (!this.#hasUntracked()) return [];
    if (source instanceof StatementFacts) return this.#analyze(source.sql)?.untracked ?? [];
    if (source.untrackedIn !== this.#schema) {
      source.untracked = this.#analyze(source.sql)?.untracked ?? [];
      source.untrackedIn = this.#schema;
    }
    return source.untracked;
  }

  /** Whether there are tables that tracking does not see. */
  #hasUntracked(): boolean {
    const schema = `${String(this.#look(({ versions }) => versions.ofMainSchema()))} ${this.#schemaWatch.epoch}`;
    if (schema !== this.#schema) {
      this.#schema = schema;
      this.#untrackedTables = this.#look(({ untracked }) => untracked.get()) !== 0;
    }
    return this.#untrackedTables;
  }

  /** Null if it cannot be compiled: it will say so when it is run. */
  #analyze(sql: string): ReturnType<Native["analyze"]> | null {
    try {
      this.#refreshSchema();
      return native!.analyze(this.#token, sql);
    } catch (error) {
      if (codeOf(error) === "ERR_SQLITE_AIO_NATIVE_SQL") return null;
      throw error;
    }
  }

  /** A statement that is only compiled goes by the schema that the handle has read last; one that runs looks at it. */
  #refreshSchema(): void {
    const { db } = this.#handle;
    this.#handle.privately(() => {
      for (const [database] of databases(db))
        prepareOwn(db, `SELECT 1 FROM ${quoteName(database)}.sqlite_schema LIMIT 1`).get();
    });
  }

  /** What transactions changed that were committed since the last call. Null if nothing, or if nobody wants to know. */
  take(): ChangeReport | null {
    if (this.#probes === null || !(this.#stirred || this.#anything)) return null;
    let tables: ChangeReport["tables"] = [];
    let anything = this.#anything;
    try {
      const taken = native?.takeChanges(this.#token) ?? [];
      anything ||= taken.some(({ table }) => table === UNSEEN);
      tables = taken
        .filter(({ database, table }) => table !== UNSEEN && !VACUUM_COPY.test(database))
        .map(({ database, table, rowids }) => ({
          database,
          table,
          rowids: rowids === null ? null : BigInt64Array.from(rowids),
        }));
    } catch {
      // There was no memory to note them.
      anything = true;
    }
    this.#anything = false;
    let schema = false;
    if (!this.#handle.inTransaction) {
      this.#stirred = false;
      const versions = this.#look((probes) => probes.versions.ofSchemas());
      if (versions !== null) {
        schema = this.#schemaVersions !== null && differ(this.#schemaVersions, versions);
        this.#schemaVersions = versions;
      }
    }
    return tables.length > 0 || anything || schema ? { tables, schema, anything } : null;
  }

  /** Whether another connection has committed since the last look. Null where one cannot look at this moment. */
  externally(): boolean | null {
    // Looking would begin a snapshot, or be held up by the one there is.
    if (this.#probes === null || this.#handle.inTransaction) return null;
    const versions = this.#look((probes) => probes.versions.ofData());
    if (versions === null) return null;
    const changed = this.#outside || this.#dataVersions === null || differ(this.#dataVersions, versions);
    this.#outside = false;
    this.#dataVersions = versions;
    return changed;
  }

  /** What a query reads. Null if it cannot be compiled. */
  access(sql: string): TableAccess | null {
    this.#require();
    const analysis = this.#analyze(sql);
    if (analysis === null) return null;
    return {
      reads: analysis.reads,
      anything: analysis.reads.some((name) => this.#showsMore(name)),
      readonly: analysis.readonly,
    };
  }

  /** Whether what is read from the table can change although nobody writes to it by this name. */
  #showsMore([database, table]: Name): boolean {
    if (/^sqlite_/i.test(table)) return !/^sqlite_(?:temp_)?(?:master|schema)$/i.test(table);
    const { db } = this.#handle;
    const sql = this.#handle.privately(() =>
      prepareOwn(
        db,
        `SELECT sql FROM ${quoteName(database)}.sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)`,
      )
        .pluck()
        .get(table),
    );
    // What is in no schema is a table that a module has by itself, such as dbstat or pragma_page_count.
    if (typeof sql !== "string") return !PURE_FUNCTIONS.has(table.toLowerCase());
    if (!/^\s*CREATE\s+VIRTUAL\b/i.test(sql)) return false;
    return !CLOSED_MODULE.test(sql) || OPEN_CONTENT.test(sql);
  }
}

/** What a version is of each database, by name and file. */
type DatabaseVersions = ReadonlyMap<string, unknown>;

/**
 * Versions of the databases of a handle, which may be attached and detached meanwhile. Without the one for temporary
 * objects, which nobody else sees, and whose version moves on by itself.
 */
class Versions {
  readonly #db: EngineDatabase;
  readonly #list: EngineStatement;
  readonly #main: EngineStatement;
  /** By pragma and database. */
  readonly #statements = new Map<string, EngineStatement>();

  constructor(db: EngineDatabase) {
    this.#db = db;
    this.#list = prepareOwn(db, "SELECT name, file FROM pragma_database_list WHERE name <> 'temp'").raw();
    this.#main = prepareOwn(db, "PRAGMA main.schema_version").pluck();
  }

  /** Changes with every commit of another connection. */
  ofData(): DatabaseVersions {
    return this.#each("data_version");
  }

  ofSchemas(): DatabaseVersions {
    return this.#each("schema_version");
  }

  ofMainSchema(): unknown {
    return this.#main.get();
  }

  #each(pragma: string): DatabaseVersions {
    const versions = new Map<string, unknown>();
    for (const [name, file] of this.#list.all() as [string, string][]) {
      const key = `${pragma} ${name}`;
      let statement = this.#statements.get(key);
      if (statement === undefined) {
        statement = prepareOwn(this.#db, `PRAGMA ${quoteName(name)}.${pragma}`).pluck();
        this.#statements.set(key, statement);
      }
      versions.set(`${name} ${file}`, statement.get());
    }
    return versions;
  }
}

/** Of a database that both have. */
function differ(before: DatabaseVersions, after: DatabaseVersions): boolean {
  return [...after].some(([database, version]) => before.has(database) && before.get(database) !== version);
}

function totalChanges(probes: Probes): unknown {
  return probes.totalChanges.get();
}

/** Whether a statement changes what tables of modules show, and no table of its own. */
function changesUnseen({ keyword, pragma, vacuumsInto }: StatementFacts): boolean {
  // VACUUM may also give new rowids to what has no primary key.
  if (keyword === "VACUUM") return !vacuumsInto;
  return keyword === "PRAGMA" && pragma!.value !== null && HEADER_PRAGMAS.has(pragma!.name);
}

function databases(db: EngineDatabase): [name: string][] {
  return prepareOwn(db, "SELECT name FROM pragma_database_list").raw().all() as [string][];
}
