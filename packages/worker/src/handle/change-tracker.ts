import { type EngineDatabase, type EngineStatement, prepareOwn } from "../engine/engine-api.js";
import { type Native, native } from "../engine/native.js";
import type { Session } from "./session.js";
import type { Statement } from "./statement.js";
import { codeOf, UsageError } from "../wire/fault.js";
import type { ChangeReport, TableAccess } from "../wire/change-report.js";

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

type Name = readonly [database: string, table: string];

interface Probes {
  readonly dataVersion: EngineStatement;
  readonly schemaVersion: EngineStatement;
  readonly totalChanges: EngineStatement;
  readonly untracked: EngineStatement;
}

/** Tells what committed transactions have changed, while somebody wants to know. */
export class ChangeTracker {
  readonly #session: Session;
  #wanted = false;
  #token = 0;
  #probes: Probes | null = null;
  /** Something ran that may have committed. */
  #stirred = false;
  /** Any table may have changed. */
  #anything = false;
  /** Of the file, as seen last; null: not looked at yet. */
  #dataVersion: unknown = null;
  /** A handle that is closed by now had seen another one. */
  #outside = false;
  #schemaVersion: unknown = null;
  /** Which schema {@link #untrackedTables} was found in. */
  #schema = "";
  #untrackedTables = false;

  constructor(session: Session) {
    this.#session = session;
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
    this.#dataVersion = null;
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
    if (native === null || this.#token === 0)
      throw new UsageError("NOT_SUPPORTED", "change events need the package @sqlite-aio/native");
  }

  #start(): void {
    const session = this.#session;
    const { db } = session;
    const probes = session.privately(() => ({
      dataVersion: prepareOwn(db, "PRAGMA data_version").pluck(),
      schemaVersion: prepareOwn(db, "PRAGMA schema_version").pluck(),
      totalChanges: prepareOwn(db, "SELECT total_changes()").pluck(),
      untracked: prepareOwn(db, UNTRACKED).pluck(),
    }));
    const unseenIn = db.inTransaction ? session.privately(() => databases(db)) : null;
    native?.trackChanges(this.#token, true, MAX_ROWIDS);
    this.#probes = probes;
    this.#schema = "";
    if (unseenIn !== null) {
      for (const [database] of unseenIn) native?.markChanged(this.#token, database, UNSEEN);
      return;
    }
    this.#schemaVersion = this.#look("schemaVersion");
    this.#dataVersion = this.#look("dataVersion");
  }

  /** Null where another connection's lock is in the way. */
  #look(probe: keyof Probes): unknown {
    const statement = this.#probes![probe];
    try {
      return this.#session.privately(() => statement.get());
    } catch {
      return null;
    }
  }

  /** Runs what may write, and marks the tables that tracking does not see. */
  watch<T>(source: Statement | string | null, work: () => T): T {
    if (this.#probes === null) return work();
    this.#stirred = true;
    const untracked = source === null ? [] : this.#untracked(source);
    if (untracked.length === 0) return work();
    const session = this.#session;
    const before = this.#look("totalChanges");
    const open = session.inTransaction;
    try {
      return work();
    } finally {
      const rolledBack = (open || session.transactionWasOpen) && !session.inTransaction;
      if (!rolledBack && this.#look("totalChanges") !== before)
        for (const [database, table] of untracked) native?.markChanged(this.#token, database, table);
    }
  }

  /** Which of the tables that `source` writes have to be marked. */
  #untracked(source: Statement | string): readonly Name[] {
    const schema = `${String(this.#look("schemaVersion"))} ${this.#session.epoch}`;
    if (schema !== this.#schema) {
      this.#schema = schema;
      this.#untrackedTables = this.#look("untracked") !== 0;
    }
    if (!this.#untrackedTables) return [];
    if (typeof source === "string") return this.#analyze(source)?.untracked ?? [];
    if (source.untrackedIn !== schema) {
      source.untracked = this.#analyze(source.sql)?.untracked ?? [];
      source.untrackedIn = schema;
    }
    return source.untracked;
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
    const { db } = this.#session;
    this.#session.privately(() => {
      for (const [database] of databases(db))
        prepareOwn(db, `SELECT 1 FROM ${quoted(database)}.sqlite_schema LIMIT 1`).get();
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
        .filter(({ table }) => table !== UNSEEN)
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
    if (!this.#session.inTransaction) {
      this.#stirred = false;
      const version = this.#look("schemaVersion");
      if (version !== null) {
        schema = this.#schemaVersion !== null && version !== this.#schemaVersion;
        this.#schemaVersion = version;
      }
    }
    return tables.length > 0 || anything || schema ? { tables, schema, anything } : null;
  }

  /** Whether another connection has committed since the last look. Null where one cannot look at this moment. */
  externally(): boolean | null {
    // Looking would begin a snapshot, or be held up by the one there is.
    if (this.#probes === null || this.#session.inTransaction) return null;
    const version = this.#look("dataVersion");
    if (version === null) return null;
    const changed = this.#outside || version !== this.#dataVersion;
    this.#outside = false;
    this.#dataVersion = version;
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
    const { db } = this.#session;
    const sql = this.#session.privately(() =>
      prepareOwn(db, `SELECT sql FROM ${quoted(database)}.sqlite_schema WHERE type = 'table' AND name = ?`)
        .pluck()
        .get(table),
    );
    if (typeof sql !== "string" || !/^\s*CREATE\s+VIRTUAL\b/i.test(sql)) return false;
    return !CLOSED_MODULE.test(sql) || OPEN_CONTENT.test(sql);
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function databases(db: EngineDatabase): [name: string][] {
  return prepareOwn(db, "SELECT name FROM pragma_database_list").raw().all() as [string][];
}
