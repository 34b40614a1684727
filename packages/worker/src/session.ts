import { backUp } from "./backup.js";
import { Changes } from "./changes.js";
import { type EngineDatabase, type EngineStatement, loadEngine } from "./engine.js";
import { Executor } from "./executor.js";
import { type Callbacks, defineFunction, loadAuthorizer } from "./functions.js";
import { type Authorizer, native } from "./native.js";
import { type Pragma, setPragma, sortPragmas } from "./pragmas.js";
import { ReplyWriter } from "./reply-writer.js";
import type { Statement } from "./statements.js";
import { Taint } from "./wire/taint.js";
import { type Control, isCancelled, sleep } from "./wire/control.js";
import { UsageError } from "./wire/fault.js";
import { withoutKeys } from "./wire/keys.js";
import type { AuthorizerSpec, BackupOptions, FunctionSpec, Opened, OpenOptions } from "./wire/open.js";
import { type Reply, type SqlValue, State } from "./wire/protocol.js";

/** SQLite's busy handler sleeps inside a native call, which nothing can end; so it waits in slices of this many ms. */
const BUSY_SLICE_MS = 20;

const RETRIED = new Set(["SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT"]);

/** Statements of our own. */
interface Probes {
  schemaVersion: EngineStatement;
  totalChanges: EngineStatement;
  counts: EngineStatement;
  databases: EngineStatement;
  tempObjects: EngineStatement;
  /** What of the schema would not keep its effect to its own statement. */
  reachingOut: EngineStatement;
}

/** One handle, and what is known of its state. */
export class Session {
  readonly out = new ReplyWriter();
  readonly executor = new Executor(this);
  readonly changes = new Changes(this);
  readonly #control: Control;
  readonly #callbacks: Callbacks;
  readonly #functions = new Map<string, FunctionSpec>();
  #db: EngineDatabase | null = null;
  #options: OpenOptions | null = null;
  #probes: Probes | null = null;
  #epoch = 0;
  #schemaVersion: unknown = null;
  #schemaSettled = false;
  #attached = false;
  #reachesOut = false;
  /** The schema epoch that `#reachesOut` belongs to. */
  #reachEpoch = -1;
  #totalChanges = 0;
  #wrote = false;
  #tracing = false;
  #tainted = false;
  /** How many temporary objects belong to the connection. */
  #tempObjects: unknown = 0;
  #loadExtension = false;
  /** What the native companion calls the handle; 0 without it. */
  #token = 0;
  #authorizer: Authorizer | null = null;
  /** Above zero while a statement of this class's own runs, which the authorizer is not asked about. */
  #private = 0;
  /** The operation being run, when its last attempt began, and the lock that holds it up: how far it was, since when. */
  #sequence = 0;
  #attempted = 0;
  #locked: { readonly progress: number; readonly since: number } | null = null;
  lastInsertRowid: number | bigint = 0;
  /** The running operation had a transaction open, so that an error after which none is has rolled it back. */
  transactionWasOpen = false;

  constructor(control: Control, callbacks: Callbacks) {
    this.#control = control;
    this.#callbacks = callbacks;
  }

  get db(): EngineDatabase {
    if (this.#db === null) throw new UsageError("CLOSED", "Connection closed");
    return this.#db;
  }

  get inTransaction(): boolean {
    return this.#db?.inTransaction ?? false;
  }

  async open(options: OpenOptions): Promise<Opened> {
    // An image is for once; the contents move on without it.
    this.#options = { ...options, image: null };
    const Database = await loadEngine(options.engine);
    const source = options.image === null ? options.path : imageOf(options.image);
    const db = new Database(source, {
      readonly: options.readonly,
      fileMustExist: options.fileMustExist,
      timeout: Math.min(options.timeout, BUSY_SLICE_MS),
    });
    this.#db = db;
    this.out.integers = options.integers;
    try {
      return await this.#configure(db, options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #configure(db: EngineDatabase, options: OpenOptions): Promise<Opened> {
    const { first, later } = sortPragmas(options.pragmas);
    for (const pragma of first) setPragma(db, pragma);
    db.exec("PRAGMA trusted_schema = OFF");
    const pragmas: Pragma[] = [["foreign_keys", "ON"], ["synchronous", "FULL"], ...later];
    for (const pragma of pragmas) await this.#patiently(() => setPragma(db, pragma));
    if (options.image !== null) checkImage(db);
    for (const { path, entryPoint } of options.extensions) {
      if (entryPoint === null) db.loadExtension(path);
      else db.loadExtension(path, entryPoint);
    }
    for (const spec of [...options.functions, ...this.#functions.values()]) await this.define(spec);
    if (options.setup !== null) {
      const module = (await import(options.setup)) as { default?: unknown };
      if (typeof module.default !== "function") {
        throw new TypeError(`the setup module ${options.setup} has no default export to call`);
      }
      await module.default(db);
    }
    this.#token = attach(db);
    this.#control.token[0] = this.#token;
    if (options.queryOnly) db.exec("PRAGMA query_only = ON");
    this.#probes = {
      schemaVersion: db.prepare("PRAGMA schema_version").pluck(),
      totalChanges: db.prepare("SELECT total_changes()").pluck(),
      counts: db.prepare("SELECT changes(), last_insert_rowid()").raw().safeIntegers(),
      databases: db.prepare("SELECT count(*) FROM pragma_database_list WHERE name <> 'temp'").pluck(),
      reachingOut: db.prepare(REACHING_OUT).pluck(),
      tempObjects: db.prepare("SELECT count(*) FROM sqlite_temp_schema").pluck(),
    };
    this.#wrote = true;
    this.settle();
    this.#tracing = false;
    this.#loadExtension = false;
    this.schemaMayHaveChanged();
    const sqliteVersion = String(db.prepare("SELECT sqlite_version()").pluck().get());
    this.changes.attached(this.#token);
    // Last: it is not asked about statements of our own.
    if (this.#authorizer !== null) this.#install(this.#authorizer);
    return { sqliteVersion, serializes: db.serializes !== false };
  }

  /** Runs what another connection's lock may hold up, as often as the timeout allows. */
  async #patiently(work: () => unknown): Promise<void> {
    const deadline = performance.now() + (this.#options?.timeout ?? 0);
    for (;;) {
      try {
        work();
        return;
      } catch (error) {
        if (!RETRIED.has(codeOf(error)) || performance.now() > deadline) throw error;
      }
      await new Promise(setImmediate);
    }
  }

  close(): void {
    const db = this.#db;
    if (db === null) return;
    this.executor.reset();
    this.changes.detached();
    this.#probes = null;
    this.#db = null;
    this.#token = this.#control.token[0] = 0;
    db.close();
  }

  /** A fresh handle on the same database, with the functions that were meant to last. */
  async reopen(): Promise<Opened> {
    const options = this.#options;
    if (options === null) throw new UsageError("CLOSED", "Connection closed");
    // What is only in memory moves over.
    const image = this.db.memory ? new Uint8Array(this.db.serialize()) : null;
    this.close();
    return this.open({ ...options, image });
  }

  /** Replaces the contents, by a fresh handle with all that the old one was given. */
  async replace(image: Uint8Array): Promise<Opened> {
    const options = this.#options;
    if (options === null || !this.db.memory) {
      throw new UsageError("NOT_MEMORY", "only an in-memory or temporary database can be replaced");
    }
    if (this.db.inTransaction) throw new UsageError("SQLITE_ERROR", "target is in transaction");
    this.close();
    this.changes.replaced();
    return this.open({ ...options, image });
  }

  /** Defines a function, for good if `lasting`, else until the lease ends. */
  async define(spec: FunctionSpec, lasting = true): Promise<void> {
    this.#requireNoCursor("a function cannot be created");
    await defineFunction(this.db, spec, this.#callbacks, this.out.integers);
    if (lasting) this.#functions.set(`${spec.name.toLowerCase()}/${spec.parameters}`, spec);
    else this.#tainted = true;
    this.schemaMayHaveChanged();
  }

  async backup(options: BackupOptions): Promise<void> {
    await backUp(this.db, options, this.#options?.timeout ?? 0, (status, remaining, total) => {
      if (options.progress !== 0) this.#callbacks.call(options.progress, [status, remaining, total]);
    });
  }

  /** Asks `spec`'s function about every statement that is prepared from now on; for good if `lasting`. */
  async authorize(spec: AuthorizerSpec | null, lasting: boolean): Promise<void> {
    if (native === null || this.#token === 0)
      throw new UsageError("NOT_SUPPORTED", "setAuthorizer() needs the package @sqlite-aio/native");
    const authorizer = spec === null ? null : await loadAuthorizer(spec, this.#callbacks);
    this.#install(authorizer);
    if (lasting) this.#authorizer = authorizer;
    else this.#tainted = true;
  }

  #install(authorizer: Authorizer | null): void {
    native?.setAuthorizer(
      this.#token,
      authorizer === null ? null : (...args) => (this.#private > 0 ? 0 : authorizer(...args)),
    );
  }

  #ask(probe: keyof Probes): unknown {
    return this.privately(() => this.#probes?.[probe].get());
  }

  /** Runs a statement of our own, which no authorizer is asked about. */
  privately<T>(work: () => T): T {
    this.#private++;
    try {
      for (let attempts = 0; ; attempts++) {
        try {
          return work();
        } catch (error) {
          if (codeOf(error) !== "SQLITE_INTERRUPT" || attempts === 2) throw error;
          // It was meant for the statement before; SQLite forgets it once no cursor is half read.
          this.executor.interruptCursors();
        }
      }
    } finally {
      this.#private--;
    }
  }

  /** The rare methods, by name. */
  call(method: string, args: readonly unknown[]): void {
    switch (method) {
      case "serialize": {
        this.#requireNoCursor("the database cannot be serialized");
        const image = new Uint8Array(this.db.serialize());
        this.out.value(image, [image.buffer]);
        return;
      }
      case "enableLoadExtension":
        this.#loadExtension = args[0] === true;
        this.#tainted = true;
        break;
      case "loadExtension":
        if (!this.#loadExtension) throw new UsageError("SQLITE_ERROR", "not authorized");
        this.#requireNoCursor("an extension cannot be loaded");
        this.db.loadExtension(...(args as [string]));
        this.#tainted = true;
        this.schemaMayHaveChanged();
        break;
      case "trackChanges":
        this.changes.track(args[0] === true);
        break;
      case "lookOutside":
        this.out.value(this.changes.externally());
        return;
      case "tableAccess":
        this.out.value(this.changes.access(args[0] as string));
        return;
      case "trace":
        this.#tracing = args[0] === true;
        this.#tainted = true;
        break;
      default:
        throw new UsageError("PROTOCOL", `there is no method "${method}"`);
    }
    this.out.value(null);
  }

  #requireNoCursor(what: string): void {
    if (this.executor.openCursors > 0)
      throw new UsageError("SQLITE_BUSY", `${what} while a cursor is half read`);
  }

  /**
   * Runs what may write: the engine refuses that beside an open iterator unless told otherwise. `source` is what the
   * work runs, null if it can change no table.
   */
  mutate<T>(source: Statement | string | null, work: () => T): T {
    if (this.executor.openCursors === 0) return this.changes.watch(source, work);
    // Only for the moment: unsafe mode also takes SQLite's defensive flag off.
    this.db.unsafeMode(true);
    try {
      return this.changes.watch(source, work);
    } finally {
      this.db.unsafeMode(false);
    }
  }

  /** Notes what a statement leaves behind beside its transaction. */
  taintBy(taint: number): void {
    if (taint === Taint.SURE || (taint === Taint.PERHAPS && this.#ask("tempObjects") !== this.#tempObjects))
      this.#tainted = true;
  }

  /** The connection is as it is meant to be. */
  settle(): void {
    this.#tainted = false;
    this.#tempObjects = this.#ask("tempObjects");
  }

  wrote(): void {
    this.#wrote = true;
  }

  /** The schema has something for which it matters whether a statement is alone in its transaction. */
  get reachesOut(): boolean {
    this.#lookAtSchema();
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
  schemaMayHaveChanged(): void {
    this.#epoch++;
    const count = this.#ask("databases");
    this.#attached = typeof count === "number" && count > 1;
  }

  /** The counts of a statement that wrote and gives rows. */
  writeCounts(): void {
    if (this.#probes === null) return;
    const [changes, rowid] = this.#ask("counts") as [bigint, bigint];
    this.lastInsertRowid = rowid;
    this.out.counts(Number(changes), rowid);
  }

  /** What ran was not told apart by its results. */
  rowidMayHaveChanged(): void {
    if (this.#probes !== null) this.lastInsertRowid = (this.#ask("counts") as [bigint, bigint])[1];
  }

  trace(statement: Statement | null, values: SqlValue[], sql = ""): void {
    if (!this.#tracing) return;
    this.out.trace(withoutKeys(statement === null ? sql : expanded(this.db, statement, values)));
  }

  beginAttempt(sequence: number, first: boolean, now: number): void {
    this.#sequence = sequence;
    this.#attempted = now;
    if (first) this.#locked = null;
  }

  /** The running operation was cancelled, or the thread is to stop. */
  get interrupted(): boolean {
    return isCancelled(this.#control, this.#sequence);
  }

  /**
   * Whether a lock was met that is worth waiting for. SQLite answers BUSY without waiting where waiting could never
   * end (two readers that both want to write), so while this side reads only a BUSY that took its time counts.
   * `progress` tells the locks of one operation apart, each of which may hold it up for the timeout.
   */
  mayRetry(error: unknown, progress = 0): boolean {
    if (this.interrupted) return false;
    const code = codeOf(error);
    // Outside a transaction the next attempt sees the next snapshot.
    const stale = code === "SQLITE_BUSY_SNAPSHOT" && !this.inTransaction && this.executor.openCursors === 0;
    if (!stale && !RETRIED.has(code)) return false;
    const now = performance.now();
    if (this.#locked?.progress !== progress) {
      this.#locked = { progress, since: Math.max(this.#attempted, now - BUSY_SLICE_MS) };
    }
    if (now - this.#locked.since >= (this.#options?.timeout ?? 0)) return false;
    if (now - this.#attempted > BUSY_SLICE_MS / 2) return true;
    if (this.db.inTransaction || this.executor.openCursors > 0) return false;
    // Some locks are not waited for by the engine at all.
    sleep(this.#control, 5);
    return true;
  }

  takeReply(): { reply: Reply; transfer: ArrayBuffer[] } {
    const db = this.#db;
    if (db === null || this.#probes === null) return this.out.take(0, this.#totalChanges, this.#epoch);
    if (this.out.anyRows) this.#lookAtSchema();
    if (this.#wrote) {
      try {
        this.#totalChanges = Number(this.#ask("totalChanges"));
        this.#wrote = false;
      } catch {
        // Interrupted together with a result that is being read: asked again with the next reply.
      }
    }
    const report = this.changes.take();
    if (report !== null) this.out.changed(report);
    const state = (db.inTransaction ? State.IN_TRANSACTION : 0) | (this.#tainted ? State.TAINTED : 0);
    return this.out.take(state, this.#totalChanges, this.#epoch);
  }

  /**
   * Once per reply, not per row: another connection may have altered a table (0.8 us against 3 us per statement). It may
   * also have done so after the rows of this reply were read, so that their names are older than the version seen now:
   * a version counts as known when it is seen a second time.
   */
  #lookAtSchema(): void {
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
}

/**
 * Constraints that are checked at COMMIT, when one could not tell whose fault it is; RAISE(ROLLBACK) and ON CONFLICT
 * ROLLBACK, which end the transaction of all; counts of what ran before, which differ when a group is run again.
 */
const REACHING_OUT = `
  SELECT count(*) FROM (SELECT type, sql FROM sqlite_schema UNION ALL SELECT type, sql FROM sqlite_temp_schema)
  WHERE sql LIKE '%DEFERR%' OR sql LIKE '%ROLLBACK%' OR sql LIKE '%last_insert_rowid%'
    OR (type = 'trigger' AND sql LIKE '%changes%(%')`;

/** The file of a database in WAL mode says so, which a database without a file cannot be: what it holds is complete. */
function imageOf(bytes: Uint8Array): Buffer {
  const image = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (image[FORMAT_WRITE] === 2) image[FORMAT_WRITE] = 1;
  if (image[FORMAT_READ] === 2) image[FORMAT_READ] = 1;
  return image;
}

/** Offsets of the file format version, https://sqlite.org/fileformat2.html#file_format_version_numbers. */
const FORMAT_WRITE = 18;
const FORMAT_READ = 19;

/** SQLite opens any bytes as a database and finds out at the first query. */
function checkImage(db: EngineDatabase): void {
  const result = db.prepare("PRAGMA quick_check(1)").pluck().get();
  if (result !== "ok")
    throw new UsageError("SQLITE_CORRUPT", `the image is not a sound database: ${String(result)}`);
}

/** Token of the handle, 0 where the native companion is missing or needs a newer engine. */
function attach(db: EngineDatabase): number {
  try {
    return native?.attach(db) ?? 0;
  } catch {
    return 0;
  }
}

function expanded(db: EngineDatabase, statement: Statement, values: SqlValue[]): string {
  if (values.length === 0) return statement.sql;
  return db
    .prepare(statement.sql)
    .bind(...statement.bindings(values))
    .toString();
}

function codeOf(error: unknown): string {
  return error instanceof Error ? String(Reflect.get(error, "code")) : "";
}
