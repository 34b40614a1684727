import { Op } from "@sqlite-aio/worker/wire";
import { splitScript } from "@sqlite-aio/worker/sql";
import type { CallSite } from "../../errors/call-site.js";
import { ConnectionClosedError, ProgrammingError, readOnly } from "../../errors/errors.js";
import {
  type CallOptions,
  checkOptions,
  checkSignal,
  integer,
  oneOf,
} from "../../options/connect-options.js";
import { Deadline } from "../../options/deadline.js";
import { traceTransaction } from "../../tracing/transaction-trace.js";
import { type AnyParameters, keepParameters, type ParametersOf } from "../../values/bind.js";
import type { ObjectRow } from "../../values/row.js";
import type { RowSettings } from "../../values/row-maker.js";
import { partsOf, type SqlStatement, textWithoutValues } from "../../values/sql-statement.js";
import type { AcquireOptions, PoolTransactionOptions } from "../exclusive.js";
import { notForgotten, whenForgotten } from "../../connection/forgotten.js";
import type { Connection } from "../../connection/connection.js";
import type { RunResult } from "../../connection/run-result.js";
import { Reentrancy } from "../../connection/reentrancy.js";
import { PoolStatement } from "../statement.js";
import type { ExecuteOptions, ExecuteResult, ReadTransaction } from "../transaction.js";
import { batchParts, type BatchResult, type BatchStatement } from "./batch-statement.js";
import { LocalCalls } from "./local-calls.js";
import { Primary } from "./primary.js";
import { PrimaryConnection } from "./primary-connection.js";
import { lockPrimary } from "./primary-lock.js";
import type { PrimaryStream } from "./primary-stream.js";
import {
  isUndone,
  PrimaryReadTransaction,
  PrimaryTransaction,
  runTransaction,
} from "./primary-transaction.js";
import {
  executed,
  objectRows,
  type RemoteResult,
  type RemoteStatement,
  remoteStatement,
} from "./remote-values.js";
import { Replica } from "./replica.js";
import { type ClusterStats, clusterStats, type SyncResult } from "./replicator.js";
import { rowsAsObjects } from "../../connection/settings.js";
import type { ClusterSettings } from "./settings.js";
import { traced } from "./traced.js";
import { accessOf, accessOutside, type StatementAccess } from "./statement-access.js";

/** Milliseconds between checks whether all calls are done, while the pool closes. */
const DRAIN_MS = 5;

/**
 * A pool over a libsql-server: it writes there, and reads from a replica on this machine if it has one. It has the
 * methods of a {@link Pool}. Those that a cluster cannot do reject with NotSupportedError.
 */
export class ClusterPool extends LocalCalls {
  readonly #settings: ClusterSettings;
  readonly #primary: Primary;
  readonly #replica: Replica | null;
  readonly #rows: RowSettings;
  readonly #reentrancy = new Reentrancy();
  readonly #lent = new WeakSet<PrimaryConnection>();
  /** The number of transactions, and of writes that wait for the replica. */
  #running = 0;
  #closed = false;
  #closing: Promise<void> | null = null;

  private constructor(settings: ClusterSettings, primary: Primary, replica: Replica | null) {
    super();
    this.#settings = settings;
    this.#primary = primary;
    this.#replica = replica;
    this.#rows = rowsAsObjects(settings.connection);
  }

  /** @internal Use `createPool()`. */
  static async open(settings: ClusterSettings, origin: CallSite): Promise<ClusterPool> {
    settings.connection.signal?.throwIfAborted();
    const primary = new Primary(settings.primary, rowsAsObjects(settings.connection));
    let replica: Replica | null = null;
    try {
      if (settings.replica !== null) {
        replica = await Replica.open(settings, settings.replica, primary);
      } else {
        const { signal } = settings.connection;
        await new Deadline({ signal }).race(primary.execute(["SELECT 1", []], "read"));
      }
      const pool = new ClusterPool(settings, primary, replica);
      const what = `the pool on ${settings.name}`;
      whenForgotten(pool, primary, { what, origin, close: closer(primary, replica) });
      return pool;
    } catch (error) {
      primary.close();
      throw error;
    }
  }

  /** Runs a statement at the primary and gives its counts. */
  async run<P extends ParametersOf<P>>(
    given: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<RunResult> {
    this.#check();
    const [sql, values] = partsOf(given, parameters);
    const access = accessOutside(sql);
    const { changes, lastInsertRowid } = await this.#atPrimary(sql, values, options, access);
    return { changes, lastInsertRowid };
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    given: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    const [sql, values] = partsOf(given, parameters);
    const access = this.#access(sql);
    if (this.#isLocal(access)) return await this.#replica!.pool.get<R>(sql, values, options);
    return objectRows<R>(await this.#atPrimary(sql, values, options, access), this.#rows)[0];
  }

  /** All rows as objects. */
  async all<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    given: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    const [sql, values] = partsOf(given, parameters);
    const access = this.#access(sql);
    if (this.#isLocal(access)) return await this.#replica!.pool.all<R>(sql, values, options);
    return objectRows<R>(await this.#atPrimary(sql, values, options, access), this.#rows);
  }

  /**
   * Runs a statement on the replica or the primary and gives all results: rows as arrays, columns and counts. For query
   * builders, which build rows themselves.
   */
  async execute<P extends ParametersOf<P>>(
    given: string | SqlStatement,
    parameters?: P,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult> {
    const [sql, values] = partsOf(given, parameters);
    const access = this.#access(sql);
    if (this.#isLocal(access)) return await this.#replica!.pool.execute(sql, values, options);
    const { firstRow, ...call } = options ?? {};
    return executed(await this.#atPrimary(sql, values, call, access), firstRow);
  }

  /** Rows as objects. A replica reads them on demand; the primary sends them all at once. */
  iterate<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    given: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): AsyncIterableIterator<R> {
    const [sql, values] = partsOf(given, parameters);
    const access = this.#access(sql);
    if (this.#isLocal(access)) return this.inUse(this.#replica!.pool.iterate<R>(sql, values, options));
    return this.#iterateAtPrimary<R>(sql, keepParameters(sql, values), options, access);
  }

  /**
   * Prepares a statement that can be run many times. The replica answers `columns()`. Throws at once for a statement
   * that no single call can run.
   */
  prepare(given: string | SqlStatement): PoolStatement {
    const [sql, fixed] = partsOf(given, undefined);
    this.#access(sql);
    return new PoolStatement(sql, fixed, {
      run: (values, options) => this.run(sql, values, options),
      get: (values, options) => this.get(sql, values, options),
      all: (values, options) => this.all(sql, values, options),
      iterate: (values, options) => this.iterate(sql, values, options),
      columns: async (options) => await this.local("columns()").prepare(sql).columns(options),
    });
  }

  /**
   * Runs the statements of a script at the primary, in one request. Each is a transaction of its own unless the script
   * has BEGIN and COMMIT.
   */
  async exec(given: string | SqlStatement, options?: CallOptions): Promise<void> {
    this.#check();
    const script = textWithoutValues(given);
    const statements: RemoteStatement[] = [];
    for (const sql of splitScript(script)) {
      accessOf(sql);
      statements.push([sql, []]);
    }
    this.#refuseWrites(script);
    const statement = { code: Op.SCRIPT, sql: script, parameters: undefined };
    await traced(this.#settings, statement, options, () => this.#writing(this.#primary.script(statements)));
  }

  /**
   * Runs statements in one transaction and one request to the primary. If one fails, all are rolled back. On a slow
   * network this takes as long as a single statement.
   *
   * @example
   * await pool.batch([
   *   ["UPDATE account SET balance = balance - ? WHERE id = ?", [10, 1]],
   *   ["UPDATE account SET balance = balance + ? WHERE id = ?", [10, 2]],
   * ]);
   */
  async batch(statements: Iterable<BatchStatement>, options?: CallOptions): Promise<BatchResult[]> {
    this.#check();
    const prepared = [...statements].map((statement) => {
      const [sql, parameters] = batchParts(statement);
      accessOutside(sql);
      return remoteStatement(sql, parameters);
    });
    this.#refuseWrites();
    const deadline = Deadline.of(options, this.#settings.callTimeout);
    const work = this.#writing(this.#primary.batch(prepared));
    const results = await (deadline?.race(work) ?? work);
    return results.map((result) => {
      const { changes, lastInsertRowid } = result;
      return { changes, lastInsertRowid, rows: objectRows(result, this.#rows) };
    });
  }

  /**
   * Runs `fn` in a write transaction at the primary: commits when it returns, rolls back when it throws. The primary
   * ends a transaction that holds the lock for more than 5 s while others wait. `retries`: how often all of it is run
   * again if a lock or a lost connection kept it from committing.
   */
  transaction<T>(
    fn: (tx: PrimaryTransaction) => T | Promise<T>,
    options: PoolTransactionOptions = {},
  ): Promise<T> {
    const mode = options?.mode ?? "immediate";
    return traceTransaction(mode, this.#settings.name, () => this.#transaction(fn, options));
  }

  /**
   * Runs `fn` in one snapshot of the database, for as long as it takes: of the replica, or of the primary if there is
   * none.
   */
  async read<T>(
    fn: (tx: ReadTransaction | PrimaryReadTransaction) => T | Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("read: the first argument must be a function");
    this.#check();
    if (this.#replica !== null) {
      return await this.#replica.pool.read((tx) => this.#reentrancy.inside(() => fn(tx)), options);
    }
    const deadline = Deadline.of(options)!;
    return await this.#counted(() =>
      this.#inTransaction("deferred", deadline, (stream) =>
        fn(new PrimaryReadTransaction(stream, this.#rows, this.#settings.callTimeout)),
      ),
    );
  }

  /**
   * Exclusive use of a connection at the primary, with aiosqlite's methods, until it is released by `await using`,
   * `close()` or {@link release}. Uncommitted changes are rolled back then. `{ mode: "read" }` gives one to the
   * replica, if there is one.
   */
  async acquire(options?: {
    mode?: "write" | undefined;
    signal?: AbortSignal | undefined;
  }): Promise<PrimaryConnection>;
  async acquire(options: AcquireOptions): Promise<PrimaryConnection | Connection>;
  async acquire(options: AcquireOptions = {}): Promise<PrimaryConnection | Connection> {
    const { signal } = checkOptions(options, ["mode", "signal"]);
    const mode = oneOf(options.mode, "mode", "write", ["read", "write"]);
    this.#check();
    if (this.#isLocal(mode)) return this.inUse(await this.#replica!.pool.acquire({ mode, signal }));
    if (mode === "write") this.#refuseWrites();
    checkSignal(signal)?.throwIfAborted();
    const leave = mode === "write" ? this.#primary.enter() : (): void => {};
    this.#running++;
    const { isolationLevel, iterChunkSize } = this.#settings.connection;
    const connection = new PrimaryConnection(
      { primary: this.#primary, rows: this.#rows, isolationLevel, iterChunkSize, readonly: mode === "read" },
      async () => await this.#replica?.caughtUp(),
      () => {
        this.#running--;
        leave();
      },
    );
    this.#lent.add(connection);
    return connection;
  }

  /** Releases a connection of {@link acquire}. A second release does nothing. */
  async release(connection: PrimaryConnection | Connection): Promise<void> {
    if (!(connection instanceof PrimaryConnection)) await this.#replica?.pool.release(connection);
    else if (this.#lent.has(connection)) await connection.close();
    else throw new ProgrammingError("release: the connection is not one of this pool's");
  }

  /**
   * Resolves when the replica has everything that was committed at the primary before this call. Rejects with
   * PrimaryError if the primary does not answer within its `timeout`. Does nothing without a replica.
   */
  async sync(options?: CallOptions): Promise<SyncResult> {
    this.#check();
    const deadline = Deadline.of(options);
    return (await this.#replica?.replicator.sync(deadline)) ?? { frames: 0, newest: null };
  }

  /** @internal Keeps out migrations of other machines, until the returned function is called. */
  lockMigrations(timeout: number): Promise<() => Promise<void>> {
    this.#check();
    this.#refuseWrites();
    return lockPrimary(this.#primary, "migration", timeout);
  }

  /** What the pool is doing at this moment. */
  stats(): ClusterStats {
    const pending = this.#primary.pending + this.#running;
    if (this.#replica === null) return clusterStats(pending, null);
    const { pool, replicator } = this.#replica;
    return clusterStats(pending, { ...replicator.state, pool: pool.stats() });
  }

  /**
   * Takes no further calls, waits for earlier ones, and closes. Calls that are not finished after `timeout` ms (default
   * 30000) reject. A second call returns the first one's result.
   */
  async close(options: { timeout?: number | undefined } = {}): Promise<void> {
    const timeout = integer(checkOptions(options, ["timeout"]).timeout, "timeout", 30_000, 0);
    this.#reentrancy.refuseInside();
    notForgotten(this.#primary);
    this.#closing ??= this.#close(timeout);
    await this.#closing;
  }

  /** Closes the pool at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  protected override get database(): string {
    return this.#settings.name;
  }

  /** @internal */
  protected override get replica(): Replica | null {
    return this.#replica;
  }

  /** @internal Throws if the pool is closed, or if the call comes from inside one of its callbacks. */
  protected override check(): void {
    this.#check();
  }

  #check(): void {
    if (this.#closed) throw new ConnectionClosedError("the pool is closed");
    this.#reentrancy.refuseInside();
  }

  #access(sql: string): "read" | "write" {
    this.#check();
    return accessOutside(sql);
  }

  #isLocal(access: StatementAccess): boolean {
    return access === "read" && this.#replica !== null;
  }

  #refuseWrites(sql?: string): void {
    if (this.#settings.readonly) throw readOnly(sql);
  }

  #atPrimary(
    sql: string,
    parameters: object | undefined,
    options: CallOptions | undefined,
    access: "read" | "write",
  ): Promise<RemoteResult> {
    if (access === "write") this.#refuseWrites(sql);
    const statement = remoteStatement(sql, parameters);
    return traced(this.#settings, { code: Op.QUERY, sql, parameters }, options, () => {
      const answer = this.#primary.execute(statement, access);
      return access === "read" ? answer : this.#writing(answer);
    });
  }

  async *#iterateAtPrimary<R>(
    sql: string,
    parameters: () => object | undefined,
    options: CallOptions | undefined,
    access: "read" | "write",
  ): AsyncGenerator<R, undefined, undefined> {
    yield* objectRows<R>(await this.#atPrimary(sql, parameters(), options, access), this.#rows);
  }

  /** Gives the result of `work` as soon as the replica has the write as well. */
  #writing<T>(work: Promise<T>): Promise<T> {
    return this.#counted(async () => {
      let result: T;
      try {
        result = await work;
      } catch (error) {
        await this.#replica?.seeReason(error);
        throw error;
      }
      await this.#replica?.caughtUp();
      return result;
    });
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }

  async #transaction<T>(
    fn: (tx: PrimaryTransaction) => T | Promise<T>,
    options: PoolTransactionOptions,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    const { signal } = checkOptions(options, ["mode", "retries", "signal"]);
    const mode = oneOf(options.mode, "mode", "immediate", ["deferred", "immediate", "exclusive"]);
    let retries = integer(options.retries, "retries", 0, 0);
    this.#check();
    this.#refuseWrites();
    const deadline = Deadline.of({ signal })!;
    const leave = this.#primary.enter();
    return await this.#counted(async () => {
      for (;;) {
        try {
          const result = await this.#inTransaction(mode, deadline, (stream) =>
            fn(new PrimaryTransaction(stream, this.#rows, this.#settings.callTimeout)),
          );
          await this.#replica?.caughtUp();
          return result;
        } catch (error) {
          if (isUndone(error) && !deadline.over && retries-- > 0) continue;
          await this.#replica?.seeReason(error);
          throw error;
        }
      }
    }).finally(leave);
  }

  #inTransaction<T>(
    mode: "deferred" | "immediate" | "exclusive",
    deadline: Deadline,
    work: (stream: PrimaryStream) => T | Promise<T>,
  ): Promise<T> {
    return runTransaction(this.#primary, mode, deadline, (stream) =>
      this.#reentrancy.inside(() => work(stream)),
    );
  }

  async #close(timeout: number): Promise<void> {
    this.#closed = true;
    const end = performance.now() + timeout;
    while (this.#primary.pending + this.#running > 0 && performance.now() < end) {
      await new Promise((resolve) => {
        setTimeout(resolve, DRAIN_MS);
      });
    }
    await closer(this.#primary, this.#replica)(Math.max(0, Math.ceil(end - performance.now())));
  }
}

/** Closes a pool that was garbage-collected. Only its parts are captured. */
function closer(primary: Primary, replica: Replica | null): (timeout: number) => Promise<void> {
  return async (timeout) => {
    primary.close();
    await replica?.close(timeout);
  };
}
