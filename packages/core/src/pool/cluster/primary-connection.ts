import { factsOf, splitScript } from "@sqlite-aio/worker/sql";
import { ConnectionClosedError, readOnly } from "../../errors/errors.js";
import { type CallOptions, checkIsolationLevel, type IsolationLevel } from "../../options/connect-options.js";
import { Deadline } from "../../options/deadline.js";
import type { Cursor, RowFactory } from "../../connection/cursor.js";
import type { AnyParameters, ParametersOf } from "../../values/bind.js";
import { type AnyRow, makeRows, type RowSettings } from "../../values/row-maker.js";
import { partsOf, type SqlStatement, textWithoutValues } from "../../values/sql-statement.js";
import type { Primary } from "./primary.js";
import { PrimaryCursor } from "./primary-cursor.js";
import type { PrimaryStream } from "./primary-stream.js";
import { notAtPrimary, transactionLost } from "./remote-errors.js";
import { type RemoteResult, type RemoteStatement, remoteStatement } from "./remote-values.js";
import { accessOf } from "./statement-access.js";

/** Milliseconds for which an idle stream is used again: the primary drops it after 10 s. */
const FRESH_MS = 5000;

/** What a connection needs from its pool. */
export interface PrimaryConnectionSettings {
  readonly primary: Primary;
  readonly rows: RowSettings;
  readonly isolationLevel: IsolationLevel;
  readonly iterChunkSize: number;
  readonly readonly: boolean;
}

/**
 * A connection at the primary for one caller, with the aiosqlite methods that the primary supports. Outside a
 * transaction it keeps no state, except `PRAGMA foreign_keys`, which lasts until the connection was idle for 10 s.
 */
export class PrimaryConnection implements AsyncDisposable {
  /** `null` for arrays, `Row` for objects, or a function that builds the row. */
  rowFactory: RowFactory = null;
  readonly #settings: PrimaryConnectionSettings;
  readonly #onWrite: () => Promise<void>;
  readonly #onEnd: () => void;
  #isolationLevel: IsolationLevel;
  #stream: PrimaryStream | null = null;
  #usedAt = 0;
  /** A pragma was set on the stream, which a new stream would not have. */
  #tainted = false;
  /** A write that others may not see yet. */
  #wrote = false;
  /** A transaction was begun and is neither committed nor rolled back. */
  #open = false;
  #scopes = 0;
  #closed = false;
  /** Calls run one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** @internal Use `pool.acquire()`. `onWrite` is awaited after each commit; `onEnd` is called on release. */
  constructor(settings: PrimaryConnectionSettings, onWrite: () => Promise<void>, onEnd: () => void) {
    this.#settings = settings;
    this.#isolationLevel = settings.isolationLevel;
    this.#onWrite = onWrite;
    this.#onEnd = onEnd;
  }

  /** A transaction is open, as of the latest answer. */
  get inTransaction(): boolean {
    return this.#open && this.#stream?.inTransaction === true;
  }

  /** Which BEGIN comes before the first INSERT, UPDATE, DELETE or REPLACE; `null` is autocommit. */
  get isolationLevel(): IsolationLevel {
    return this.#isolationLevel;
  }

  /** Holds from the next statement on. Throws TypeError or RangeError. */
  set isolationLevel(level: IsolationLevel) {
    this.#isolationLevel = checkIsolationLevel(level);
  }

  /** A cursor that has run nothing yet. */
  async cursor(): Promise<PrimaryCursor> {
    this.#check();
    return new PrimaryCursor(this, this.#settings.iterChunkSize);
  }

  /** Runs a statement and gives its cursor. */
  async execute<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<PrimaryCursor> {
    return await (await this.cursor()).execute(sql, parameters, options);
  }

  /** Runs a statement for each parameter set. */
  async executemany<P extends ParametersOf<P>>(
    given: string | SqlStatement,
    sets: Iterable<P> | AsyncIterable<P>,
  ): Promise<void> {
    const sql = textWithoutValues(given);
    for await (const parameters of sets) await this.perform(sql, parameters);
  }

  /** Commits, then runs the statements of a script. */
  async executescript(script: string | SqlStatement, options?: CallOptions): Promise<void> {
    const statements = [...splitScript(textWithoutValues(script))];
    for (const sql of statements) accessOf(sql);
    if (this.inTransaction && this.#scopes === 0) await this.commit();
    for (const sql of statements) await this.#perform([sql, []], false, options);
  }

  /** Runs a statement and gives all its rows. */
  async executeFetchall<R = AnyRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    return this.rowsOf(await this.perform(...partsOf(sql, parameters), options), null) as R[];
  }

  /** Commits the open transaction, if there is one. */
  async commit(): Promise<void> {
    await this.#turn(undefined, async () => {
      if (!this.#open) return;
      await (await this.#current()).commit();
      this.#open = false;
      await this.#committed();
    });
  }

  /** Rolls back the open transaction, if there is one. */
  async rollback(): Promise<void> {
    await this.#turn(undefined, async () => {
      this.#open = this.#wrote = false;
      await this.#stream?.rollback();
    });
  }

  /** Commits when `fn` returns, rolls back when it throws. Inside a transaction it is a SAVEPOINT. */
  async transaction<T>(
    fn: (tx: PrimaryConnection) => T | Promise<T>,
    { mode = "deferred" }: { mode?: "deferred" | "immediate" | "exclusive" | undefined } = {},
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    if (this.inTransaction) return await this.#savepoint(fn);
    await this.#perform([`BEGIN ${mode.toUpperCase()}`, []], false);
    this.#scopes++;
    let result: T;
    try {
      result = await fn(this);
    } catch (error) {
      await this.rollback();
      throw error;
    } finally {
      this.#scopes--;
    }
    await this.commit();
    return result;
  }

  /** Releases the connection. Uncommitted changes are rolled back. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#last.catch(() => {});
    this.#stream?.close();
    this.#onEnd();
  }

  /** Like {@link close}. */
  async stop(): Promise<void> {
    await this.close();
  }

  /** Releases the connection at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Throws NotSupportedError: a statement at the primary cannot be stopped. */
  async interrupt(): Promise<void> {
    throw notAtPrimary("interrupt(): the primary does not stop a statement that it runs");
  }

  /** Throws NotSupportedError: a SQL function belongs to one connection on one machine. */
  async createFunction(): Promise<void> {
    throw notAtPrimary("createFunction(): the primary has no functions of its clients");
  }

  /** @internal Runs a cursor's statement. */
  async perform(sql: string, parameters?: object, options?: CallOptions): Promise<RemoteResult> {
    const access = accessOf(sql);
    const facts = factsOf(sql);
    if (access === "write" && this.#settings.readonly) {
      throw readOnly(sql);
    }
    if (facts.transaction?.verb === "savepoint" && !this.#open) {
      throw notAtPrimary("SAVEPOINT outside of a transaction: BEGIN one first", { sql });
    }
    const begins = this.#isolationLevel !== null && facts.begins;
    return await this.#perform(remoteStatement(sql, parameters), begins, options);
  }

  /** @internal Builds the rows with the row factory. */
  rowsOf({ rows, shape }: RemoteResult, cursor: PrimaryCursor | null): unknown[] {
    const settings = { ...this.#settings.rows, rowFactory: this.rowFactory };
    const owner = (): Cursor => cursor as unknown as Cursor;
    return makeRows({ rows, shape, objects: false }, settings, owner);
  }

  #perform(statement: RemoteStatement, begins: boolean, options?: CallOptions): Promise<RemoteResult> {
    const [sql] = statement;
    return this.#turn(options, async () => {
      const stream = await this.#current();
      if (begins && !this.#open) {
        await stream.execute([`BEGIN ${this.#isolationLevel}`, []]);
        this.#open = true;
      }
      const result = await stream.execute(statement);
      this.#usedAt = performance.now();
      this.#open = stream.inTransaction;
      const access = accessOf(sql);
      if (access === "write") {
        this.#wrote = true;
        // A setting is lost with the stream.
        this.#tainted ||= factsOf(sql).keyword === "PRAGMA";
      }
      await this.#committed();
      return result;
    });
  }

  async #savepoint<T>(fn: (tx: PrimaryConnection) => T | Promise<T>): Promise<T> {
    const name = `sqlite_aio_${++this.#scopes}`;
    await this.#perform([`SAVEPOINT ${name}`, []], false);
    try {
      const result = await fn(this);
      await this.#perform([`RELEASE ${name}`, []], false);
      return result;
    } catch (error) {
      if (this.inTransaction) {
        await this.#perform([`ROLLBACK TO ${name}`, []], false);
        await this.#perform([`RELEASE ${name}`, []], false);
      }
      throw error;
    } finally {
      this.#scopes--;
    }
  }

  /** Reports a write once no transaction is open. */
  async #committed(): Promise<void> {
    if (this.inTransaction || !this.#wrote) return;
    this.#wrote = false;
    await this.#onWrite();
  }

  /** The stream that has the open transaction or the settings; a new one if there are none. */
  async #current(): Promise<PrimaryStream> {
    const stream = this.#stream;
    if (stream !== null) {
      const isFresh = performance.now() - this.#usedAt < FRESH_MS;
      if (!stream.ended && (this.#open || this.#tainted || isFresh)) return stream;
      // On a new stream, this statement would be committed without the earlier ones.
      if (this.#open) throw transactionLost();
      stream.close();
      this.#tainted = false;
    }
    this.#stream = await this.#settings.primary.open();
    return this.#stream;
  }

  #turn<T>(options: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    this.#check();
    const deadline = Deadline.of(options);
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => {});
    return deadline?.race(done) ?? done;
  }

  #check(): void {
    if (this.#closed) throw new ConnectionClosedError();
  }
}
