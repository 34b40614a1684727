import { type EngineDatabase, type EngineStatement, prepareOwn } from "../../engine/engine-api.js";
import { type Native, native, needsNative } from "../../engine/native.js";
import type { DatabaseHandle } from "../database-handle.js";
import type { SchemaWatch } from "./schema-watch.js";
import type { Statement } from "../statement.js";
import { quoteName } from "../../sql/quote.js";
import { StatementFacts } from "../../sql/statement-facts.js";
import { codeOf } from "../../wire/fault.js";
import type { ChangeReport, TableAccess } from "../../wire/change-report.js";

/** Maximum number of rowids listed for a table. Beyond it, only the table is named. */
const MAX_ROWIDS = 1000;

/**
 * Stands for changes that a transaction made before tracking began. No table has this name: SQLite reserves the prefix.
 */
const UNSEEN = "sqlite_aio_unseen";

/** Counts tables that the update hook does not report. Their changes are marked separately. */
const UNTRACKED = `SELECT count(*) FROM pragma_table_list
  WHERE (wr OR type = 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`;

/** Virtual tables that change only when they are written to. Others may show anything. */
const CLOSED_MODULE =
  /^\s*CREATE\s+VIRTUAL\s+TABLE\b.*?\bUSING\s+["'`[]?(?:fts[345]|rtree(?:_i32)?|geopoly)\b/is;
const OPEN_CONTENT = /\bcontent\s*=/i;

/** Table-valued functions whose result depends only on their arguments. */
const PURE_FUNCTIONS = new Set([
  "json_each",
  "json_tree",
  "jsonb_each",
  "jsonb_tree",
  "generate_series",
  "carray",
  "fts3tokenize",
]);

/** Pragmas that write into the file, but into no table. */
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

/** Temporary databases into which VACUUM copies tables. */
const VACUUM_COPY = /^vacuum_[0-9a-f]{16}$/;

type Name = readonly [database: string, table: string];

interface Probes {
  readonly versions: Versions;
  readonly totalChanges: EngineStatement;
  readonly untracked: EngineStatement;
}

/** Reports what committed transactions have changed, while somebody listens. */
export class ChangeTracker {
  readonly #handle: DatabaseHandle;
  readonly #schemaWatch: SchemaWatch;
  #wanted = false;
  #token = 0;
  #probes: Probes | null = null;
  /** A statement ran that may have committed. */
  #stirred = false;
  /** Any table may have changed. */
  #anything = false;
  /** `data_version` of each database at the last check; null before the first one. */
  #dataVersions: DatabaseVersions | null = null;
  /** Another connection has committed, as far as a handle shows that is closed now, or may have while none was open. */
  #outside = false;
  /** There was no check since the handle was opened: databases may be attached to it that were attached before. */
  #fresh = false;
  #schemaVersions: DatabaseVersions | null = null;
  /** The schema that {@link #untrackedTables} belongs to. */
  #schema = "";
  #untrackedTables = false;

  constructor(handle: DatabaseHandle, schema: SchemaWatch) {
    this.#handle = handle;
    this.#schemaWatch = schema;
  }

  /** Call it when a handle was opened. */
  attached(token: number): void {
    this.#token = token;
    if (!this.#wanted || token === 0) return;
    this.#start();
    this.#fresh = true;
  }

  /** Call it if another connection may have committed while no handle was open. */
  missed(): void {
    if (this.tracking) this.#outside = true;
  }

  /** Call it before the handle closes. Another one may follow. */
  detached(): void {
    if (this.#probes !== null && this.externally() !== false) this.#outside = true;
    this.#probes = null;
    this.#token = 0;
    this.#dataVersions = null;
  }

  /** Call it when the database's contents were replaced. */
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
    // Set last: if a lock makes the start fail, it is retried.
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

  /** Null if another connection's lock is in the way. */
  #look<T>(at: (probes: Probes) => T): T | null {
    try {
      return this.#handle.privately(() => at(this.#probes!));
    } catch {
      return null;
    }
  }

  /** Notes a write to a table that tracking does not see. */
  mark(database: string, table: string): void {
    if (this.#probes === null) return;
    this.#stirred = true;
    native?.markChanged(this.#token, database, table);
  }

  /** Tracking is on. */
  get tracking(): boolean {
    return this.#probes !== null;
  }

  /** Whether tracking sees all writes of the transaction that is about to run, so that {@link mutate} is not needed. */
  seesWrites(): boolean {
    if (!this.tracking) return true;
    this.#stirred = true;
    return !this.#hasUntracked();
  }

  /**
   * Runs work that may write, and marks tables that tracking does not see. `source` is what `work` runs, null if it can
   * change no table.
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
    // Reading the schema in a fresh transaction would take its snapshot. If another connection then commits, the
    // transaction could no longer write. So the schema is read after the write, which takes the snapshot itself.
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

  /** The tables that `source` writes and that have to be marked. */
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

  /** Null if the text cannot be compiled. The error is reported when it runs. */
  #analyze(sql: string): ReturnType<Native["analyze"]> | null {
    try {
      this.#refreshSchema();
      return native!.analyze(this.#token, sql);
    } catch (error) {
      if (codeOf(error) === "ERR_SQLITE_AIO_NATIVE_SQL") return null;
      throw error;
    }
  }

  /** Compiling alone uses the schema that the handle has read last. Running a statement refreshes it. */
  #refreshSchema(): void {
    const { db } = this.#handle;
    this.#handle.privately(() => {
      for (const [database] of databases(db))
        prepareOwn(db, `SELECT 1 FROM ${quoteName(database)}.sqlite_schema LIMIT 1`).get();
    });
  }

  /** The changes of transactions committed since the last call. Null if there are none, or tracking is off. */
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
      // There was no memory to record the changes.
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

  /** Whether another connection has committed since the last check. Null if a check is not possible now. */
  externally(): boolean | null {
    // A check inside a transaction would take a snapshot, or see an old one.
    if (this.#probes === null || this.#handle.inTransaction) return null;
    const versions = this.#look((probes) => probes.versions.ofData());
    if (versions === null) return null;
    const before = this.#dataVersions;
    const changed =
      this.#outside ||
      before === null ||
      differ(before, versions) ||
      (this.#fresh && [...versions.keys()].some((database) => !before.has(database)));
    this.#outside = this.#fresh = false;
    this.#dataVersions = versions;
    return changed;
  }

  /** The tables that a query reads. Null if it cannot be compiled. */
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

  /** Whether the table's contents can change without a write to this name. */
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
    // A table in no schema belongs to a module itself, such as dbstat or pragma_page_count.
    if (typeof sql !== "string") return !PURE_FUNCTIONS.has(table.toLowerCase());
    if (!/^\s*CREATE\s+VIRTUAL\b/i.test(sql)) return false;
    return !CLOSED_MODULE.test(sql) || OPEN_CONTENT.test(sql);
  }
}

/** One version number per database, by name and file. */
type DatabaseVersions = ReadonlyMap<string, unknown>;

/**
 * Reads versions of all databases of a handle, which may be attached and detached meanwhile. The temp database is left
 * out: nobody else sees it, and its version changes by itself.
 */
class Versions {
  readonly #db: EngineDatabase;
  readonly #list: EngineStatement;
  readonly #main: EngineStatement;
  /** Prepared statements by pragma and database. */
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

/** Whether the version of a database in both maps differs. */
function differ(before: DatabaseVersions, after: DatabaseVersions): boolean {
  return [...after].some(([database, version]) => before.has(database) && before.get(database) !== version);
}

function totalChanges(probes: Probes): unknown {
  return probes.totalChanges.get();
}

/** Whether a statement changes what modules' tables show, but no table of its own. */
function changesUnseen({ keyword, pragma, vacuumsInto }: StatementFacts): boolean {
  // VACUUM may also renumber rowids of tables without an INTEGER PRIMARY KEY.
  if (keyword === "VACUUM") return !vacuumsInto;
  return keyword === "PRAGMA" && pragma!.value !== null && HEADER_PRAGMAS.has(pragma!.name);
}

function databases(db: EngineDatabase): [name: string][] {
  return prepareOwn(db, "SELECT name FROM pragma_database_list").raw().all() as [string][];
}
