import { inspect, type InspectOptionsStylized } from "node:util";
import { Mode, Verb } from "@sqlite-aio/worker/wire";
import { type Blob, type BlobOptions, openBlob } from "./blob.js";
import { type BackupOptions, backUp, backupPath, databaseName } from "./backup.js";
import type { AnyParameters, ParametersOf } from "../values/bind.js";
import { ErrorReason } from "../errors/rejection.js";
import type { Call } from "../thread/call.js";
import { Cursor, type ScriptOptions } from "./cursor.js";
import { OperationalError, ProgrammingError } from "../errors/errors.js";
import { callSiteOf } from "../errors/call-site.js";
import { type Autocommit, checkAutocommit, LEGACY_TRANSACTION_CONTROL } from "../options/autocommit.js";
import { HandleControls } from "./handle-controls.js";
import { describe, type StatementInfo } from "./describe.js";
import {
  boolean,
  type CallOptions,
  checkIsolationLevel,
  checkOptions,
  copyImage,
  type IsolationLevel,
} from "../options/connect-options.js";
import { alone, closeAfterAll, refuseScoped } from "./turns.js";
import { dumpFilter, dumpLines, type DumpOptions } from "./dump-lines.js";
import { iterable, type PendingCursor } from "./pending-cursor.js";
import type { RowFactory } from "./cursor.js";
import {
  type AnyRow,
  makeRows,
  type RowSettings,
  rowSettings,
  type TextFactory,
} from "../values/row-maker.js";
import type { SqlStatement } from "../values/sql-statement.js";
import { type Handle, integerFlag, placed, toError } from "./handle.js";
import { type RunResult, runResult } from "./run-result.js";
import { inspected } from "../tracing/inspected.js";
import { inTransaction, SharedTransaction, type TransactionOptions } from "./transaction.js";

/**
 * One SQLite handle in a thread of its own, with aiosqlite's methods in camelCase. Calls run in the order in which they
 * were made. Section "Errors" of the README lists the errors that they reject with.
 */
export class Connection extends HandleControls {
  readonly #path: string;
  readonly #release: (() => Promise<void>) | undefined;
  #closing: Promise<void> | null = null;

  /** @internal Use `connect()`, or `acquire()` of a pool. `release` gives a lease back when it is closed. */
  constructor(handle: Handle, path: string, release?: () => Promise<void>) {
    super(handle);
    this.#path = path;
    this.#release = release;
  }

  /** A transaction is open, as of the latest answer. */
  get inTransaction(): boolean {
    return this.handle.inTransaction;
  }

  /** Rows changed since the connection was opened, as of the latest answer. */
  get totalChanges(): number {
    return this.handle.totalChanges;
  }

  /** Which BEGIN comes before the first INSERT, UPDATE, DELETE or REPLACE; null is autocommit. */
  get isolationLevel(): IsolationLevel {
    return this.handle.settings.isolationLevel;
  }

  /**
   * Holds for later calls. Null also commits, as in CPython; if the commit fails, there is a warning and the
   * transaction stays open.
   */
  set isolationLevel(level: IsolationLevel) {
    const checked = checkIsolationLevel(level);
    this.handle.settings.isolationLevel = checked;
    if (checked === null && !this.handle.scoped && !this.handle.closed) this.commit().catch(warnOfCommit);
  }

  /**
   * True: each statement is a transaction of its own, unless BEGIN says otherwise, and `commit()` does nothing. False: a
   * transaction is always open, from one commit or rollback to the next. LEGACY_TRANSACTION_CONTROL: `isolationLevel` decides.
   */
  get autocommit(): Autocommit {
    return this.handle.settings.autocommit;
  }

  /** As in CPython, true commits and false begins a transaction. If that fails, there is a warning. */
  set autocommit(mode: Autocommit) {
    const checked = checkAutocommit(mode);
    const { handle } = this;
    refuseScoped(handle, "autocommit");
    handle.check();
    handle.settings.autocommit = checked;
    if (checked === LEGACY_TRANSACTION_CONTROL) return;
    handle.perform(handle.control(checked ? Verb.COMMIT : Verb.ENSURE)).catch(warnOfAutocommit);
  }

  /** How cursors made from now on build rows: null for arrays, `Row` for objects, or a function. */
  get rowFactory(): RowFactory {
    return this.handle.settings.rowFactory;
  }

  /** Holds for cursors made from now on. */
  set rowFactory(factory: RowFactory) {
    if (factory !== null && typeof factory !== "function")
      throw new TypeError("rowFactory must be null or a function");
    this.handle.settings.rowFactory = factory;
  }

  /** How TEXT is read: `String`, `Buffer`, or a function of its UTF-8 bytes. */
  get textFactory(): TextFactory {
    return this.handle.settings.textFactory;
  }

  /** Holds for rows that are fetched from now on. */
  set textFactory(factory: TextFactory) {
    if (typeof factory !== "function")
      throw new TypeError("textFactory must be String, Buffer or a function");
    this.handle.settings.textFactory = factory;
  }

  /** A cursor that has run nothing yet. */
  async cursor(): Promise<Cursor> {
    this.handle.check();
    return new Cursor(this, this.handle);
  }

  /**
   * Runs one statement, at once. Returns a promise for its cursor, which can be iterated without awaiting it first.
   *
   * @example
   * for await (const [id, name] of db.execute("SELECT id, name FROM city")) console.log(id, name);
   */
  execute<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): PendingCursor {
    // Read first: should that throw, nothing has been begun.
    const signal = options?.signal;
    const cursor = new Cursor(this, this.handle);
    return iterable(cursor.execute(sql, parameters, options), cursor, signal);
  }

  /**
   * Runs a DML statement once for each parameter set of an Iterable or AsyncIterable, in bounded memory. The values of an
   * array are taken when the call is made, those of any other iterable when it gives them.
   */
  async executemany<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameterSets: Iterable<P> | AsyncIterable<P>,
    options?: CallOptions,
  ): Promise<Cursor> {
    return await new Cursor(this, this.handle).executemany(sql, parameterSets, options);
  }

  /** Commits an open transaction, unless told otherwise, then runs the statements of a script. */
  async executescript(sql: string | SqlStatement, options?: ScriptOptions): Promise<Cursor> {
    return await new Cursor(this, this.handle).executescript(sql, options);
  }

  /** Runs one statement and gives all its rows, in one round trip. */
  async executeFetchall<R = AnyRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    const handle = this.handle;
    const call = handle.query(Mode.ALL, sql, parameters, { flags: integerFlag(options) });
    // Taken now: the factories may be others when the rows are there.
    const settings = rowSettings(handle.settings);
    handle.submit(call, options, this.executeFetchall);
    try {
      await call.promise;
    } catch (reason) {
      throw toError(reason, call);
    }
    return this.#rows(call, settings) as R[];
  }

  /** Runs one statement and gives its first row, undefined when there is none, in one round trip. */
  async get<R = AnyRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    const { handle } = this;
    const call = handle.query(Mode.GET, sql, parameters);
    const settings = rowSettings(handle.settings);
    await handle.perform(call, options, this.get);
    return this.#rows(call, settings)[0] as R | undefined;
  }

  /** Runs one statement and gives its counts instead of rows, in one round trip. */
  async run<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<RunResult> {
    return runResult(
      await this.handle.perform(this.handle.query(Mode.RUN, sql, parameters), options, this.run),
    );
  }

  /**
   * Compiles one statement without running it, and describes its columns and parameters. Rejects with SQLite's error if
   * the text cannot be compiled.
   */
  async describe(sql: string | SqlStatement, options?: CallOptions): Promise<StatementInfo> {
    return await describe(this.handle, sql, options, this.describe);
  }

  /** Runs one INSERT and gives the row of `SELECT last_insert_rowid()`, in one round trip. */
  async executeInsert<R = AnyRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | null> {
    const handle = this.handle;
    const insert = handle.query(Mode.RUN, sql, parameters);
    // Essential: it runs with the insert, even if other calls are refused or cancelled meanwhile.
    const rowid = handle.query(Mode.GET, "SELECT last_insert_rowid()", undefined, { essential: true });
    handle.submit(insert, options, this.executeInsert);
    handle.submit(rowid, undefined, null);
    rowid.promise.catch(() => {});
    await handle.settle(insert);
    await handle.settle(rowid);
    return this.#rows(rowid, handle.settings)[0] as R;
  }

  #rows(call: Call, settings: RowSettings): unknown[] {
    return makeRows(call, settings, () => new Cursor(this, this.handle).describe(call.shape));
  }

  /** Commits the open transaction, if there is one. */
  async commit(options?: CallOptions): Promise<void> {
    refuseScoped(this.handle, "commit");
    await this.handle.perform(this.handle.control(this.handle.ending("commit")), options, this.commit);
  }

  /** Rolls the open transaction back, if there is one. */
  async rollback(options?: CallOptions): Promise<void> {
    refuseScoped(this.handle, "rollback");
    await this.handle.perform(this.handle.control(this.handle.ending("rollback")), options, this.rollback);
  }

  /**
   * Runs `fn` in a transaction that no other call can enter: commits when it returns, rolls back when it throws. `tx` has
   * the connection's methods; a nested transaction is a SAVEPOINT.
   *
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.execute("UPDATE account SET balance = balance - 10 WHERE id = 1");
   *   await tx.execute("UPDATE account SET balance = balance + 10 WHERE id = 2");
   * }, { mode: "immediate" });
   */
  async transaction<T>(fn: (tx: Connection) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return await inTransaction(this.handle, (handle) => new Connection(handle, this.#path), fn, options);
  }

  /** @internal For a caller that sends BEGIN as a statement. */
  sharedTransaction(): SharedTransaction<Connection> {
    return new SharedTransaction(this.handle, (handle) => new Connection(handle, this.#path));
  }

  /**
   * Cancels every call that waits or runs, with an OperationalError of code `SQLITE_INTERRUPT`. `{ waiting: false }`
   * cancels only running calls and half-read cursors, as `sqlite3_interrupt()` does. Rejects when the connection is
   * closed.
   */
  async interrupt(options: { waiting?: boolean | undefined } = {}): Promise<void> {
    const { channel, root, settings, scoped, closed, leaseOver } = this.handle;
    const waiting =
      checkOptions(options, ["waiting"]).waiting === undefined || boolean(options.waiting, "waiting");
    // While the connection closes, its running calls can still be stopped.
    if (leaseOver || (closed && (scoped || !channel.alive))) throw this.handle.closedReason();
    settings.interrupts++;
    const reason = (): Error => new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" });
    if (!waiting) {
      channel.cancelRunning(new ErrorReason(reason));
      return;
    }
    root.cancelWaiting(reason);
    channel.cancelAll(new ErrorReason(reason));
  }

  /**
   * Opens the value of a column in the row with this rowid, to read and write it in pieces. Needs `@sqlite-aio/native`.
   *
   * @example
   * await db.execute("INSERT INTO picture (bytes) VALUES (zeroblob(?))", [size]);
   * await using blob = await db.blobopen("picture", "bytes", 1);
   * await pipeline(createReadStream("picture.jpg"), blob.createWriteStream());
   */
  async blobopen(
    table: string,
    column: string,
    row: number | bigint,
    options: BlobOptions & CallOptions = {},
  ): Promise<Blob> {
    return await openBlob(this, this.handle, [table, column], row, options, this.blobopen);
  }

  /**
   * The database as lines of SQL, the same text as CPython's `iterdump()`. With `filter`, only objects whose name is
   * LIKE that pattern.
   */
  iterdump(options: DumpOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.#dump(dumpFilter(options));
  }

  async *#dump(filter: string | null): AsyncGenerator<string, void, undefined> {
    // `this` must stay reachable while the generator is: a connection that is garbage-collected is closed.
    yield* dumpLines(this.handle, filter);
  }

  /** Copies the database into a file or another connection, in steps. Other calls run between the steps. */
  async backup(target: Connection | string | URL | Buffer, options: BackupOptions = {}): Promise<void> {
    if (target === this) throw new ProgrammingError("target cannot be the same connection instance");
    const to =
      typeof target === "object" && target !== null && #path in target
        ? { handle: target.handle, path: target.#path }
        : backupPath(target);
    await this.handle.channel.drained(backUp(this.handle, to, options));
  }

  /** The database as the bytes of its file. `name` is `"main"`, `"temp"` or an attached database. */
  async serialize(options: CallOptions & { name?: string | undefined } = {}): Promise<Uint8Array> {
    const { name, ...rest } = checkOptions(options, ["name", "signal", "timeout"]);
    const method = this.handle.method("serialize", databaseName(name));
    return (await this.handle.perform(method, rest, this.serialize)).value as Uint8Array;
  }

  /**
   * Replaces the database by an in-memory one with the contents that `serialize()` gave; the file that was open stays
   * unchanged. Rejects inside a transaction. Rejects with a DatabaseError, and changes nothing, if the bytes are no
   * sound database. A database other than `"main"` needs `@sqlite-aio/native`.
   */
  async deserialize(image: Uint8Array, options: { name?: string | undefined } = {}): Promise<void> {
    const name = databaseName(checkOptions(options, ["name"]).name);
    const { handle } = this;
    refuseScoped(handle, "deserialize");
    const bytes = copyImage(image);
    if (bytes.length === 0) throw new RangeError("the image is empty");
    const origin = callSiteOf(this.deserialize);
    try {
      await alone(handle, () => handle.channel.deserialize(bytes, name));
    } catch (error) {
      throw placed(error, origin);
    }
  }

  /**
   * Finishes earlier calls, rolls back what is not committed, and ends the thread. A second call returns the first
   * one's promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#release?.() ?? this.#close();
    return this.#closing;
  }

  /** Like {@link close}, but safe without awaiting: a failure is not an unhandled rejection. */
  stop(): Promise<void> {
    const closing = this.close();
    closing.catch(() => {});
    return closing;
  }

  /** Closes the connection at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    return inspected(this, this.handle.shown, depth, options);
  }

  async #close(): Promise<void> {
    refuseScoped(this.handle, "close");
    const handle = this.handle;
    try {
      handle.root.refuseDeadlock();
    } catch (error) {
      // Lets close() be called again. Not before the caller of this function has stored the rejected promise.
      queueMicrotask(() => (this.#closing = null));
      throw error;
    }
    await closeAfterAll(handle);
  }
}

function warnOfAutocommit(error: Error): void {
  process.emitWarning(`autocommit could not be set: ${error.message}`);
}

function warnOfCommit(error: Error): void {
  process.emitWarning(`isolationLevel = null could not commit the open transaction: ${error.message}`);
}
