import { Mode, Verb } from "@sqlite-aio/worker/wire";
import type { Parameters } from "./bind.js";
import type { Connection } from "./connection.js";
import { OperationalError, ProgrammingError, WorkerCrashedError } from "./errors.js";
import type { FunctionOptions, SqlFunction } from "./functions.js";
import { type CallOptions, integer, oneOf } from "./options.js";
import { Patience } from "./patience.js";
import { type ChangeListener, PoolChanges } from "./pool-changes.js";
import { Dispatcher, type Place } from "./pool-dispatcher.js";
import { Group } from "./pool-group.js";
import { Leases } from "./pool-leases.js";
import { Member, type PoolFunction, type Role } from "./pool-member.js";
import { type PoolOptions, type ResolvedPoolOptions, resolvePoolOptions } from "./pool-options.js";
import { Router } from "./pool-router.js";
import { poolStats, type PoolStats } from "./pool-stats.js";
import {
  type ExecuteOptions,
  type ExecuteResult,
  executeResult,
  objectRows,
  PoolTransaction,
  pinSnapshot,
  ReadTransaction,
  type RunResult,
  runResult,
} from "./pool-transaction.js";
import { Upkeep } from "./pool-upkeep.js";
import { copyParameters, type LiveQuery, Watch } from "./pool-watch.js";
import { Row } from "./row.js";
import type { AnyRow, RowSettings } from "./row-maker.js";
import type { Runner } from "./runner.js";
import { checkSql } from "./statement-cache.js";
import { runTransaction, type TransactionOptions } from "./transaction.js";
import { traceTransaction, type TransactionTrace } from "./transaction-trace.js";

/** Options of `pool.transaction()`. */
export interface PoolTransactionOptions extends TransactionOptions {
  /** How often the whole callback is run again when another process holds the lock. Default 0. */
  retries?: number | undefined;
}

/** Options of `pool.acquire()`. */
export interface AcquireOptions {
  /** Default `"write"`. */
  mode?: "read" | "write" | undefined;
  signal?: AbortSignal | undefined;
}

/** How long the threads that {@link Pool.close} has ended by force are waited for, in ms: each ends when its native call has. */
const GRACE_MS = 200;

/**
 * Several connections to one database behind one face. Reads run side by side on read-only connections, writes one
 * after the other on the writer; every call is a transaction of its own unless `transaction()` says otherwise.
 */
export class Pool {
  readonly #options: ResolvedPoolOptions;
  readonly #writers: Group;
  readonly #readers: Group;
  readonly #functions = new Map<string, PoolFunction>();
  readonly #leases: Leases;
  readonly #dispatcher: Dispatcher;
  readonly #router: Router;
  readonly #upkeep: Upkeep;
  readonly #changes: PoolChanges;
  readonly #rows: RowSettings;
  #closing: Promise<void> | null = null;

  private constructor(options: ResolvedPoolOptions) {
    this.#options = options;
    const { detectTypes, thread } = options.connection;
    this.#rows = { rowFactory: Row, textFactory: String, detectTypes, integers: thread.open.integers };
    const start = (role: Role): Promise<Member> => this.#start(role);
    this.#writers = new Group("writer", options.writers, options, start);
    this.#readers =
      options.readers === 0 ? this.#writers : new Group("reader", options.readers, options, start);
    this.#upkeep = new Upkeep(options, this.#writers, this.#readers);
    this.#leases = new Leases(this, options, (group) => {
      if (group === this.#writers) this.#upkeep.wrote();
    });
    this.#dispatcher = new Dispatcher(options, this.#leases);
    this.#router = new Router(options, this.#dispatcher, this.#writers, this.#readers, this.#upkeep);
    this.#changes = new PoolChanges(options.changePollInterval, options.connection.thread.open.integers);
  }

  /** @internal Use `createPool()`. */
  static async open(database: string | URL, options: PoolOptions): Promise<Pool> {
    const resolved = resolvePoolOptions(database, options);
    const patience = Patience.of({ signal: resolved.connection.signal });
    const pool = new Pool(resolved);
    const opening = pool.#writers.open();
    try {
      await (patience === undefined ? opening : patience.race(opening));
      return pool;
    } catch (error) {
      pool.#upkeep.stop();
      pool.#writers.terminate().catch(() => {});
      opening.catch(() => {});
      throw error;
    }
  }

  /** Runs a statement on the writer and gives its counts. */
  async run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult> {
    return runResult(await this.#router.query(Mode.RUN, sql, parameters, options, this.run));
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R | undefined> {
    const call = await this.#router.query(Mode.GET, sql, parameters, options, this.get);
    return objectRows<R>(call, this.#rows)[0];
  }

  /** All rows as objects. */
  async all<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]> {
    const call = await this.#router.query(Mode.ALL, sql, parameters, options, this.all);
    return objectRows(call, this.#rows);
  }

  /** All there is to know of a statement, wherever it belongs: for query builders, which make rows of their own. */
  async execute(sql: string, parameters?: Parameters, options?: ExecuteOptions): Promise<ExecuteResult> {
    const mode = options?.firstRow === true ? Mode.GET : Mode.ALL;
    return executeResult(await this.#router.query(mode, sql, parameters, options, this.execute, false));
  }

  /** Rows as objects, read as they are wanted. The connection is held until the loop ends. */
  iterate<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterableIterator<R> {
    return this.#router.iterate(sql, parameters, options, this.iterate);
  }

  /**
   * Runs the statements of a script on the writer, and nothing of others between them. Each is a transaction of its own
   * unless the script has BEGIN and COMMIT; what an error leaves open is rolled back.
   */
  async exec(script: string, options?: CallOptions): Promise<void> {
    await this.#router.script(script, options, this.exec);
  }

  /**
   * Runs `fn` in a write transaction that nobody else can enter: commits when it returns, rolls back when it throws.
   *
   * @example
   * await pool.transaction(async (tx) => {
   *   const { balance } = await tx.get("SELECT balance FROM account WHERE id = ?", [1]);
   *   await tx.run("UPDATE account SET balance = ? WHERE id = ?", [balance - 10, 1]);
   * });
   */
  transaction<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: PoolTransactionOptions = {},
  ): Promise<T> {
    const mode = options?.mode ?? "immediate";
    return traceTransaction(mode, this.#path, (trace) => this.#transact(fn, options, trace));
  }

  async #transact<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: PoolTransactionOptions,
    trace: TransactionTrace | null,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    const { signal } = checkObject(options);
    const mode = oneOf(options.mode, "mode", "immediate", ["deferred", "immediate", "exclusive"]);
    let retries = integer(options.retries, "retries", 0, 0);
    this.#dispatcher.check();
    const patience = Patience.of({ signal });
    const place: Place = {};
    Error.captureStackTrace(place, this.transaction);
    const face = (runner: Runner): PoolTransaction => new PoolTransaction(runner);
    for (;;) {
      const lease = await this.#dispatcher.lease(this.#writers, "transaction", place, patience);
      try {
        return await lease.unlessRevoked(
          this.#leases.inside(() => runTransaction(lease.runner("pool"), face, fn, { signal, mode }, trace)),
        );
      } catch (error) {
        if (!isBusy(error) || retries-- <= 0) throw error;
      } finally {
        void lease.end();
      }
    }
  }

  /** Runs `fn` on one reader, in one snapshot of the database, for as long as it takes. */
  read<T>(fn: (tx: ReadTransaction) => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    return traceTransaction("read", this.#path, (trace) => this.#read(fn, options, trace));
  }

  async #read<T>(
    fn: (tx: ReadTransaction) => T | Promise<T>,
    options: CallOptions,
    trace: TransactionTrace | null,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("read: the first argument must be a function");
    this.#dispatcher.check();
    const patience = Patience.of(options)!;
    const place: Place = {};
    Error.captureStackTrace(place, this.read);
    const lease = await this.#dispatcher.lease(this.#readers, "read", place, patience);
    const runner = lease.runner("pool");
    runner.closedReason = readOver;
    try {
      const work = this.#leases.inside(async () => {
        await pinSnapshot(runner);
        trace?.begun(runner.channel.thread);
        return await fn(new ReadTransaction(runner));
      });
      return await lease.unlessRevoked(patience.race(work));
    } catch (error) {
      if (patience.over) lease.member.channel.cancelAll(error);
      throw error;
    } finally {
      void lease.end();
    }
  }

  /**
   * A connection to oneself, with aiosqlite's methods, until it is released: by `await using`, `close()` or
   * {@link release}. What is not committed by then is rolled back.
   */
  async acquire(options: AcquireOptions = {}): Promise<Connection> {
    const { signal } = checkObject(options);
    const mode = oneOf(options.mode, "mode", "write", ["read", "write"]);
    this.#dispatcher.check();
    const group = mode === "read" ? this.#readers : this.#writers;
    const place: Place = {};
    Error.captureStackTrace(place, this.acquire);
    const lease = await this.#dispatcher.lease(group, "acquire", place, Patience.of({ signal }));
    return this.#leases.lend(lease);
  }

  /** Gives a connection of {@link acquire} back. A second release does nothing. */
  async release(connection: Connection): Promise<void> {
    await this.#leases.giveBack(connection);
  }

  /** Makes a JavaScript function callable from SQL on every connection, also on those opened later. */
  async createFunction(
    name: string,
    parameters: number,
    fn: SqlFunction | URL,
    options: FunctionOptions = {},
  ): Promise<void> {
    this.#dispatcher.check();
    const definition: PoolFunction = { name, parameters, fn, options };
    const key = `${name}/${parameters}`.toLowerCase();
    // Somebody must find out whether it can be defined.
    if (this.#writers.members.length === 0) await this.#barrier();
    const before = this.#functions.get(key);
    this.#functions.set(key, definition);
    try {
      const asked = new Set<Member>();
      const lacksIt = (member: Member): boolean => !asked.has(member) && !member.has(key, definition);
      // Some may come while others are asked; those that are opened after that have it from the start.
      for (let member = this.#members().find(lacksIt); member !== undefined; ) {
        asked.add(member);
        await this.#define(member, key, definition);
        member = this.#members().find(lacksIt);
      }
    } catch (error) {
      if (this.#functions.get(key) === definition) {
        if (before === undefined) this.#functions.delete(key);
        else this.#functions.set(key, before);
      }
      throw error;
    }
  }

  /**
   * Calls `listener` after each commit with what it changed; several are told together. Throws NotSupportedError
   * without `@sqlite-aio/native`.
   *
   * @example
   * pool.on("change", ({ tables, any }) => {
   *   if (any || tables.includes("note")) refresh();
   * });
   */
  on(event: "change", listener: ChangeListener): this {
    this.#changes.on(event, listener);
    return this;
  }

  /** As {@link on}, for the next change only. */
  once(event: "change", listener: ChangeListener): this {
    this.#changes.once(event, listener);
    return this;
  }

  /** Takes a listener off that was put on by {@link on} or {@link once}. */
  off(event: "change", listener: ChangeListener): this {
    this.#changes.off(event, listener);
    return this;
  }

  /**
   * A query's rows, and its rows again after each commit that changed a table it reads: commits of this pool at once,
   * those of others within `changePollInterval`. Ends by `break`, by `return()` and when the pool closes; rejects with
   * the signal's reason. Needs `@sqlite-aio/native`.
   *
   * @example
   * for await (const rows of pool.watch("SELECT id, text FROM note", [], { signal })) render(rows);
   */
  watch<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): LiveQuery<R> {
    checkSql(sql);
    const values = copyParameters(parameters);
    return new Watch<R>(
      {
        sql,
        changes: this.#changes,
        query: (callOptions) => this.all<R>(sql, values, callOptions),
        access: (callOptions) => this.#router.access(sql, callOptions),
      },
      options,
    );
  }

  /** What the pool is doing at this moment. */
  stats(): PoolStats {
    return poolStats(this.#options, this.#writers, this.#readers, this.#dispatcher.pending);
  }

  /**
   * Takes no further calls, finishes what was called before, checkpoints and closes. What is not finished after
   * `timeout` ms (default 30000) rejects. A second call is the first.
   */
  async close(options: { timeout?: number | undefined } = {}): Promise<void> {
    const timeout = integer(checkObject(options).timeout, "timeout", 30_000, 0);
    this.#leases.refuseInside();
    this.#closing ??= this.#close(timeout);
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #path(): string {
    return this.#options.connection.thread.open.path;
  }

  /** The writers first. */
  #members(): Member[] {
    const { members } = this.#writers;
    return this.#readers === this.#writers ? [...members] : [...members, ...this.#readers.members];
  }

  async #barrier(): Promise<void> {
    await this.#dispatcher.perform(this.#writers, "any", true, undefined, (runner) => {
      const call = runner.control(Verb.BARRIER);
      runner.submit(call, undefined, null);
      return call;
    });
  }

  async #define(member: Member, key: string, definition: PoolFunction): Promise<void> {
    try {
      if (member.holder === null) await member.alone(() => member.define(key, definition));
      else await member.define(key, definition);
    } catch (error) {
      // One that took its place has it already.
      if (!member.channel.alive && (error instanceof WorkerCrashedError || member.root.ended)) return;
      // One that is held may have a cursor half read; it gets the function when it is given back.
      if (member.holder === null || !isBusy(error)) throw error;
    } finally {
      this.#writers.advance();
      this.#readers.advance();
    }
  }

  async #start(role: Role): Promise<Member> {
    const member = await Member.start(role, this.#options, this.#functions);
    if (role === "writer") this.#changes.adopt(member.channel);
    const group = role === "reader" ? this.#readers : this.#writers;
    member.channel.onDeath = () => group.lost(member);
    return member;
  }

  async #close(timeout: number): Promise<void> {
    const timer = Promise.withResolvers<"late">();
    const handle = setTimeout(() => timer.resolve("late"), timeout);
    const orderly = this.#closeInOrder();
    try {
      if ((await Promise.race([orderly, timer.promise])) !== "late") return;
    } finally {
      clearTimeout(handle);
    }
    orderly.catch(() => {});
    const ended = Promise.all([this.#readers.terminate(), this.#writers.terminate()]);
    // A native call that does not return keeps its thread; nobody has to wait for that.
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())]);
  }

  async #closeInOrder(): Promise<void> {
    this.#upkeep.stop();
    this.#changes.close();
    await this.#dispatcher.close();
    for (const group of [this.#readers, this.#writers]) {
      group.close();
      await group.opened();
    }
    await this.#upkeep.stopped();
    if (this.#readers !== this.#writers) await this.#readers.end((member) => member.close());
    await this.#writers.end(async (member) => {
      await this.#upkeep.truncate(member);
      await member.close();
    });
  }
}

/**
 * Opens a pool: by default one writer and some read-only connections to a database in WAL mode. `{ readers: 0,
 * writers: n }` is a plain pool of n equal connections, `{ readers: 0, writers: 1 }` one connection for all.
 *
 * @example
 * await using pool = await createPool("app.db");
 * await pool.run("INSERT INTO note (text) VALUES (?)", ["hello"]);
 * const notes = await pool.all("SELECT id, text FROM note");
 */
export async function createPool(database: string | URL, options: PoolOptions = {}): Promise<Pool> {
  return await Pool.open(database, options);
}

function checkObject<T>(options: T): T {
  if (typeof options !== "object" || options === null) throw new TypeError("the options must be an object");
  return options;
}

function readOver(): ProgrammingError {
  return new ProgrammingError("the read() is over", { code: "SQLITE_MISUSE" });
}

function isBusy(error: unknown): boolean {
  return error instanceof OperationalError && error.code.startsWith("SQLITE_BUSY");
}
