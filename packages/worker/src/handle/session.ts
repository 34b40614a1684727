import { backUp, type BackupReport, requireDatabase } from "./backup.js";
import { Blobs } from "./blobs.js";
import { ChangeCounts } from "./change-counts.js";
import { ChangeTracker } from "./change-tracker.js";
import { type EngineDatabase, prepareOwn } from "../engine/engine-api.js";
import { Executor } from "./executor.js";
import { Hooks } from "./hooks.js";
import { loadAuthorizer } from "../functions/authorizer.js";
import type { Callbacks } from "../functions/callbacks.js";
import { Definer } from "../functions/definer.js";
import { explained } from "../engine/cannot-open.js";
import { attachNative, type Authorizer, native, needsNative } from "../engine/native.js";
import { BUSY_SLICE_MS } from "../engine/lock-codes.js";
import { Limits } from "./limits.js";
import { LockWait } from "./lock-wait.js";
import { Methods } from "./methods.js";
import { NativeStatements } from "./native-statements.js";
import { checkContents, configureHandle, openHandle, setUp, withoutLog } from "../engine/opening.js";
import { ReplyWriter } from "./reply-writer.js";
import { SchemaWatch } from "./schema-watch.js";
import { type Statement, writesTemp } from "./statement.js";
import type { StatementFacts } from "../sql/statement-facts.js";
import { Taint } from "../sql/taint.js";
import { type Control, isCancelled } from "../wire/control-block.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { withoutKeys } from "../sql/redact-keys.js";
import { type Definition, definitionKey, type Source } from "../wire/definitions.js";
import type { BackupOptions, Opened, OpenOptions } from "../wire/thread-api.js";
import { Flag, type Reply, type SqlValue, State } from "../wire/protocol.js";

/** How much of the rows of one half-read cursor is kept in memory for what the engine refuses beside it. */
const REST_BYTES = 16 * 1024 * 1024;

/** One handle, and what is known of its state. */
export class Session {
  readonly out = new ReplyWriter();
  readonly executor = new Executor(this);
  readonly changes = new ChangeTracker(this);
  readonly counts = new ChangeCounts((work) => this.privately(work));
  readonly hooks = new Hooks();
  readonly schema = new SchemaWatch(
    (work) => this.privately(work),
    () => this.inTransaction,
  );
  readonly nativeStatements: NativeStatements;
  readonly limits = new Limits();
  readonly methods = new Methods(this);
  readonly blobs = new Blobs(
    () => this.inTransaction,
    (database, table) => this.changes.mark(database, table),
  );
  readonly #control: Control;
  readonly #callbacks: Callbacks;
  readonly #definer: Definer;
  /** What is to be on every handle. */
  readonly #definitions = new Map<string, Definition>();
  #db: EngineDatabase | null = null;
  #options: OpenOptions | null = null;
  readonly #patience: LockWait;
  #tracing = false;
  #tainted = false;
  #outlasted = false;
  /** The engine is told to allow work beside open cursors at this moment. */
  #unsafe = false;
  /** Of the temporary objects that belong to the connection, and whether some have rows. */
  #tempVersion: unknown = 0;
  #tempTables = false;
  /** What the native companion calls the handle; 0 without it. */
  #token = 0;
  #authorizer: Authorizer | null = null;
  /** Above zero while a statement of this class's own runs, which the authorizer is not asked about. */
  #private = 0;
  /** The operation being run. */
  #sequence = 0;
  /** The running operation had a transaction open, so that an error after which none is has rolled it back. */
  transactionWasOpen = false;

  /** `onFunctionCall` runs whenever SQL is about to call a function of the user's. */
  constructor(control: Control, callbacks: Callbacks, onFunctionCall: () => void) {
    this.#control = control;
    this.#callbacks = callbacks;
    this.#definer = new Definer(callbacks, onFunctionCall);
    this.#patience = new LockWait(this, control);
    this.nativeStatements = new NativeStatements(control, () => this.#sequence);
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
    this.#patience.timeout = options.timeout;
    try {
      const db = await openHandle(options);
      this.#db = db;
      this.out.integers = options.integers;
      return await this.#configure(db, options);
    } catch (error) {
      this.close();
      throw explained(error, options.path);
    }
  }

  async #configure(db: EngineDatabase, options: OpenOptions): Promise<Opened> {
    await configureHandle(db, options);
    this.#token = attachNative(db);
    this.#control.token[0] = this.#token;
    this.#definer.attached(db, this.#token);
    const definitions = [...options.functions, ...this.#definitions.values()];
    for (const definition of definitions) await this.define(definition);
    await setUp(db, options);
    // An option of the caller's, or the setup module, may have set it.
    if (options.pragmas.some(([name]) => /busy_timeout/i.test(name)) || options.setup !== null)
      this.#adoptUnlessSlice(options.timeout);
    this.nativeStatements.attached(db, this.#token);
    if (options.setup !== null || definitions.length > 0) this.nativeStatements.guard();
    if (options.queryOnly) db.exec("PRAGMA query_only = ON");
    this.schema.open(db);
    this.counts.open(db);
    this.settle();
    this.#tracing = false;
    this.methods.reopened();
    this.schemaMayHaveChanged();
    const sqliteVersion = String(prepareOwn(db, "SELECT sqlite_version()").pluck().get());
    this.changes.attached(this.#token);
    this.hooks.attached(this.#token);
    this.blobs.attached(this.#token);
    this.limits.attached(this.#token, options);
    // Last: it is not asked about statements of our own.
    if (this.#authorizer !== null) this.#install(this.#authorizer);
    return { sqliteVersion, serializes: db.serializes !== false };
  }

  close(): void {
    const db = this.#db;
    if (db === null) return;
    this.executor.reset();
    this.nativeStatements.detached();
    this.changes.detached();
    this.hooks.detached();
    this.blobs.detached();
    this.limits.detached();
    this.schema.close();
    this.counts.close();
    this.#db = null;
    this.#token = this.#control.token[0] = 0;
    db.close();
  }

  /** A fresh handle on the same database, with the functions that were meant to last. */
  async reopen(): Promise<Opened> {
    const options = this.#options!;
    // What is only in memory moves over.
    const inMemory = options.path === "" || options.path === ":memory:";
    const image = inMemory && this.db.memory ? new Uint8Array(this.db.serialize()) : null;
    this.close();
    this.hooks.forget();
    this.limits.forget();
    return this.open({ ...options, image });
  }

  /** Replaces the contents of a database in memory, by a fresh handle with all that the old one was given. */
  async replace(image: Uint8Array): Promise<Opened> {
    this.close();
    this.changes.replaced();
    return this.open({ ...this.#options!, image });
  }

  /**
   * Lets a database be one in memory, with these contents. True if that took a fresh handle: without the companion only the
   * main database can change, and the temporary ones go.
   */
  async deserialize(image: Uint8Array, name: string): Promise<boolean> {
    if (this.inTransaction) throw new UsageError("SQLITE_ERROR", "cannot deserialize inside a transaction");
    this.requireNoCursor("a database cannot be deserialized");
    this.privately(() => requireDatabase(this.db, name));
    await checkContents(image, this.#options!);
    this.blobs.closeAll();
    this.#tainted = true;
    if (native === null || this.#token === 0) {
      if (name.toLowerCase() !== "main")
        throw needsNative("deserialize() into another than the main database");
      if (this.executor.openCursors > 0)
        throw new UsageError("SQLITE_BUSY", "a database cannot be deserialized while a cursor is half read");
      await this.replace(image);
      this.#tainted = true;
      return true;
    }
    native.deserialize(this.#token, name, withoutLog(image));
    this.changes.replaced();
    this.schemaMayHaveChanged();
    return false;
  }

  /** Defines what SQL may call, or takes it away; for good if `lasting`, else until the lease ends. */
  async define(definition: Definition, lasting = true): Promise<void> {
    this.requireNoCursor(`a ${definition.kind} cannot be created`);
    this.nativeStatements.guard();
    await this.#definer.define(definition, this.out.integers);
    this.privately(() => rereadSchema(this.db));
    const key = definitionKey(definition);
    if (!lasting) this.#tainted = true;
    else if (definition.source === null) this.#definitions.delete(key);
    else this.#definitions.set(key, definition);
    this.schemaMayHaveChanged();
  }

  /** What is behind an error of SQLite's. */
  behind(error: unknown): unknown {
    return this.#definer.behind(error);
  }

  async backup(options: BackupOptions): Promise<void> {
    this.privately(() => requireDatabase(this.db, options.name));
    const report: BackupReport = (status, remaining, total) => {
      if (options.progress !== 0) this.#callbacks.call(options.progress, [status, remaining, total]);
    };
    try {
      await backUp(this.db, options, this.#options!.timeout, report);
    } catch (error) {
      throw explained(error, options.path);
    }
  }

  /** Asks `source`'s function about every statement that is prepared from now on; for good if `lasting`. */
  async authorize(source: Source | null, lasting: boolean): Promise<void> {
    if (native === null || this.#token === 0) throw needsNative("setAuthorizer()");
    const authorizer = source === null ? null : await loadAuthorizer(source, this.#callbacks);
    this.#install(authorizer);
    if (lasting) this.#authorizer = authorizer;
    else this.#tainted = true;
  }

  #install(authorizer: Authorizer | null): void {
    this.nativeStatements.allow(authorizer === null);
    native?.setAuthorizer(
      this.#token,
      authorizer === null ? null : (...args) => (this.#private > 0 ? 0 : authorizer(...args)),
    );
  }

  /** Runs a statement of our own, which no authorizer is asked about and no limit holds for. */
  privately<T>(work: () => T): T {
    if (this.#private++ === 0) this.limits.lift();
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
      if (--this.#private === 0) this.limits.restore();
    }
  }

  /** For what the engine refuses beside an open iterator: the rest of the rows is read first. */
  requireNoCursor(what: string): void {
    if (!this.executor.readRest(REST_BYTES))
      throw new UsageError(
        "SQLITE_BUSY",
        `${what} while a cursor is half read that has more than 16 MB of rows left`,
      );
  }

  /** Runs what may write. `source` is what the work runs, null if it can change no table. */
  mutate<T>(source: Statement | StatementFacts | null, work: () => T): T {
    return this.besideCursors(() => this.changes.watch(source, work));
  }

  /** Runs what the engine takes for a change, and refuses beside an open iterator unless told otherwise. */
  besideCursors<T>(work: () => T): T {
    // Work inside of work must not end it.
    if (this.executor.openCursors === 0 || this.#unsafe) return work();
    // Only for the moment: unsafe mode also takes SQLite's defensive flag off.
    this.#unsafe = true;
    this.db.unsafeMode(true);
    try {
      return work();
    } finally {
      this.db.unsafeMode(false);
      this.#unsafe = false;
      this.limits.restoreDefensive();
    }
  }

  /** How many milliseconds this connection waits for a lock, as `PRAGMA busy_timeout` reads and sets it. */
  busyTimeout(pragma: "reads" | "sets", sql: string): number {
    if (pragma === "sets") {
      // The engine takes it when it compiles the text, and would wait for so long inside of one native call.
      this.privately(() => this.db.exec(sql));
      this.#adoptBusyTimeout();
    }
    return this.#patience.timeout;
  }

  #adoptUnlessSlice(given: number): void {
    const timeout = this.privately(() => Number(this.db.prepare("PRAGMA busy_timeout").pluck().get()));
    if (timeout !== Math.min(given, BUSY_SLICE_MS)) this.#adoptBusyTimeout();
  }

  #adoptBusyTimeout(): void {
    const { db } = this;
    const timeout = this.privately(() => Number(db.prepare("PRAGMA busy_timeout").pluck().get()));
    this.#patience.timeout = timeout;
    this.privately(() => db.exec(`PRAGMA busy_timeout = ${Math.min(timeout, BUSY_SLICE_MS)}`));
  }

  /** The next holder of the connection could notice what was done. */
  taint(): void {
    this.#tainted = true;
  }

  /** What was done holds for longer than the handle does, for the thread or the process. */
  outlast(): void {
    this.#outlasted = true;
  }

  get outlasted(): boolean {
    return this.#outlasted;
  }

  /** Notes what a statement leaves behind beside its transaction. */
  taintBy(taint: number): void {
    if (taint === Taint.SURE || (taint === Taint.PERHAPS && this.schema.tempVersion !== this.#tempVersion))
      this.#tainted = true;
  }

  /** As {@link taintBy}, for one that writes: rows of a temporary table are left behind too. */
  wroteBy(statement: Statement): void {
    if (!this.#tempTables || this.#tainted || !statement.dml) return;
    if (this.privately(() => statement.writesTemp(this.db, this.epoch))) this.#tainted = true;
  }

  /** The same for a text that is one of a script. */
  scriptWrote(facts: StatementFacts): void {
    if (!this.#tempTables || this.#tainted || !facts.writes) return;
    if (this.privately(() => writesTemp(this.db, facts))) this.#tainted = true;
  }

  /** Throws for what is to have no effect, or one on others: see {@link OpenOptions.pooled}. */
  check(facts: StatementFacts, flags: number): void {
    const { taint } = facts;
    if (taint < Taint.SURE) return;
    const { pooled } = this.#options!;
    if (pooled && taint === Taint.PROCESS) {
      throw new UsageError(
        "SETTING",
        'this pragma holds for the whole process, and would outlive the lease: set it by the pool\'s option "pragmas"',
      );
    }
    if (taint === Taint.PROCESS) this.outlast();
    if (!this.inTransaction || !(pooled || (flags & Flag.IN_TRANSACTION) !== 0)) return;
    if (!facts.setsForeignKeys) return;
    throw new UsageError(
      "SETTING",
      "SQLite ignores PRAGMA foreign_keys inside a transaction: set it before BEGIN on a connection that pool.acquire() gives, or put PRAGMA defer_foreign_keys = ON into the transaction",
    );
  }

  /** The connection is as it is meant to be. */
  settle(): void {
    this.#tainted = false;
    this.#tempVersion = this.schema.tempVersion;
    this.#tempTables = this.schema.hasTempTables;
  }

  /** Moves on with every sign of another schema. */
  get epoch(): number {
    return this.schema.epoch;
  }

  /** Column names are to be looked at again. */
  schemaMayHaveChanged(): void {
    this.schema.mayHaveChanged();
  }

  /** The counts of a statement that may have written and gives rows; SQLite counts those of DML only. */
  writeCounts(dml: boolean): void {
    const [changes, rowid] = this.counts.last();
    this.out.counts(dml ? changes : -1, rowid);
  }

  traceStatements(on: boolean): void {
    this.#tracing = on;
  }

  /** The text of each statement is asked for before it runs. */
  get tracing(): boolean {
    return this.#tracing;
  }

  trace(statement: Statement | null, values: SqlValue[], sql = ""): void {
    if (!this.#tracing) return;
    this.out.trace(withoutKeys(statement === null ? sql : statement.expanded(this.db, values)));
  }

  beginAttempt(sequence: number, first: boolean, now: number): void {
    this.#sequence = sequence;
    this.#patience.attempt(first, now);
  }

  /** The running operation was cancelled, or the thread is to stop. */
  get interrupted(): boolean {
    return isCancelled(this.#control, this.#sequence);
  }

  /** See {@link LockWait.mayRetry}. */
  mayRetry(error: unknown, progress = 0): boolean {
    return this.#patience.mayRetry(error, progress);
  }

  takeReply(): { reply: Reply; transfer: ArrayBuffer[] } {
    const db = this.#db;
    if (db === null) return this.out.take(0, this.counts.knownTotal, this.epoch);
    if (this.out.anyRows) this.schema.look();
    try {
      this.counts.total();
    } catch {
      // Interrupted together with a result that is being read: asked again with the next reply.
    }
    const report = this.changes.take();
    if (report !== null) this.out.changed(report);
    const events = this.hooks.take();
    if (events !== null) this.out.hooked(events);
    const state = (db.inTransaction ? State.IN_TRANSACTION : 0) | (this.#tainted ? State.TAINTED : 0);
    return this.out.take(state, this.counts.knownTotal, this.epoch);
  }
}

/**
 * Lets the engine read the schema again: it judges what that may call (`trusted_schema`, `directOnly`) when it reads it,
 * and takes for harmless what is defined later.
 */
function rereadSchema(db: EngineDatabase): void {
  db.exec("PRAGMA writable_schema = RESET");
}
