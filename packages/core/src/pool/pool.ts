import { inspect, type InspectOptionsStylized } from "node:util";
import { Mode, Verb } from "@sqlite-aio/worker/wire";
import { type AnyParameters, keepParameters, type ParametersOf } from "../values/bind.js";
import type { BackupOptions } from "../connection/backup.js";
import type { Connection } from "../connection/connection.js";
import { dumpFilter, type DumpOptions } from "../connection/dump-lines.js";
import { type CallOptions, checkOptions, integer, refuseSurplus } from "../options/connect-options.js";
import type { Caller } from "../connection/handle.js";
import { type ManyResult, type RunResult, runResult } from "../connection/run-result.js";
import { rowsAsObjects } from "../connection/settings.js";
import { type MemoryDatabase, shownDatabase } from "../options/database-path.js";
import { Deadline } from "../options/deadline.js";
import { type PragmaOptions, pragmaParts } from "../options/pragma-options.js";
import { type ChangeListener, ChangeEvents } from "./changes/change-events.js";
import { closePool, type PoolParts } from "./close.js";
import { Copies } from "./copies.js";
import { Dispatcher } from "./dispatcher.js";
import { MemberGroup } from "./member-group.js";
import type { Bounds } from "./request.js";
import { ANY } from "./statement-profile.js";
import { Leases } from "./leases.js";
import { PoolDefinitions } from "./definitions.js";
import { notForgotten, whenForgotten } from "../connection/forgotten.js";
import { type PoolFunction, PoolFunctions } from "./functions.js";
import { Member, poolClosed, type Role } from "./member.js";
import { type PoolOptions, type ResolvedPoolOptions, resolvePoolOptions } from "./options.js";
import { Router } from "./router.js";
import { type AcquireOptions, type PoolTransactionOptions, Exclusive } from "./exclusive.js";
import { PoolStatement } from "./statement.js";
import { poolStats, type PoolStats } from "./stats.js";
import {
  type ExecuteOptions,
  executeMode,
  type ExecuteResult,
  executeResult,
  objectRows,
  type PoolTransaction,
  type ReadTransaction,
  runBy,
} from "./transaction.js";
import { Maintenance } from "./maintenance.js";
import { type LiveQuery, Watch } from "./changes/live-query.js";
import type { ObjectRow } from "../values/row.js";
import type { RowSettings } from "../values/row-maker.js";
import { partsOf, type SqlStatement } from "../values/sql-statement.js";
import { startSoon } from "../thread/start-thread.js";
import { checkSql } from "../thread/statement-cache.js";
import { inspected } from "../tracing/inspected.js";
import { traceTransaction } from "../tracing/transaction-trace.js";
import type { CallSite } from "../errors/call-site.js";

/**
 * Several connections to one database behind one interface. Reads run side by side on read-only connections, writes one
 * after the other on the writer. Every call is a transaction of its own unless `transaction()` says otherwise.
 */
export class Pool extends PoolDefinitions {
  readonly #options: ResolvedPoolOptions;
  readonly #writers: MemberGroup;
  readonly #readers: MemberGroup;
  readonly #functions: PoolFunctions;
  readonly #leases: Leases;
  readonly #dispatcher: Dispatcher;
  readonly #router: Router;
  readonly #exclusive: Exclusive;
  readonly #copies: Copies;
  readonly #maintenance: Maintenance;
  readonly #changes: ChangeEvents;
  readonly #rows: RowSettings;
  #closing: Promise<void> | null = null;

  private constructor(options: ResolvedPoolOptions) {
    super();
    this.#options = options;
    this.#rows = rowsAsObjects(options.connection);
    // Threads, timers and leases must not reference the pool: one that nobody uses would never be garbage-collected. So
    // no closure here captures `this`.
    const functions = new PoolFunctions();
    const changes = new ChangeEvents(options.changePollInterval, this.#rows.integers);
    const groups: Groups = {};
    const start = starter(options, functions, changes, groups);
    this.#functions = functions;
    this.#changes = changes;
    this.#writers = new MemberGroup(
      "writer",
      { calls: options.writers, relief: 0, leases: 0 },
      options,
      start,
    );
    this.#readers =
      options.readers === 0 ? this.#writers : new MemberGroup("reader", boundsOf(options), options, start);
    groups.writer = this.#writers;
    groups.reader = this.#readers;
    this.#maintenance = new Maintenance(options, this.#writers, this.#readers);
    this.#leases = new Leases(options, this.#writers, this.#maintenance);
    this.#dispatcher = new Dispatcher(options, this.#leases);
    this.#exclusive = new Exclusive(this.#dispatcher, this.#leases, this.#writers, this.#readers);
    this.#copies = new Copies(options, this.#dispatcher, this.#leases, this.#readers);
    this.#router = new Router(options, this.#dispatcher, this.#writers, this.#readers, this.#maintenance);
  }

  /** @internal Use `createPool()`. */
  static async open(
    database: string | URL | MemoryDatabase,
    options: PoolOptions,
    origin: CallSite,
  ): Promise<Pool> {
    const resolved = resolvePoolOptions(database, options);
    const deadline = Deadline.of({ signal: resolved.connection.signal })!;
    const pool = new Pool(resolved);
    const opening = pool.#writers.open();
    // Otherwise the first read would start its thread only after the writer has opened.
    if (resolved.readers > 0) startSoon(resolved.connection.thread);
    try {
      await deadline.race(opening);
      const what = `the pool on ${pool.#path || "a temporary database"}`;
      whenForgotten(pool, pool.#maintenance, { what, origin, close: closer(pool.#parts) });
      return pool;
    } catch (error) {
      pool.#maintenance.stop();
      void pool.#writers.terminate();
      opening.catch(() => {});
      throw error;
    }
  }

  /** Runs a statement on the writer and gives its counts. */
  async run<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<RunResult> {
    refuseSurplus(arguments.length, 3, "run(sql, [a, b], options)");
    return runResult(await this.#router.query(Mode.RUN, sql, parameters, options, this.run));
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    refuseSurplus(arguments.length, 3, "get(sql, [a, b], options)");
    const call = await this.#router.query(Mode.GET, sql, parameters, options, this.get);
    return objectRows<R>(call, this.#rows)[0];
  }

  /** All rows as objects. */
  async all<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    refuseSurplus(arguments.length, 3, "all(sql, [a, b], options)");
    const call = await this.#router.query(Mode.ALL, sql, parameters, options, this.all);
    return objectRows(call, this.#rows);
  }

  /**
   * Runs a statement on a reader or the writer and gives all results: rows as arrays, columns and counts. For query
   * builders, which build rows themselves.
   */
  async execute<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult> {
    refuseSurplus(arguments.length, 3, "execute(sql, [a, b], options)");
    const { mode, call } = executeMode(options);
    return executeResult(await this.#router.query(mode, sql, parameters, call, this.execute, false));
  }

  /** Rows as objects, read on demand. Holds a connection until the loop ends. */
  iterate<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): AsyncIterableIterator<R> {
    refuseSurplus(arguments.length, 3, "iterate(sql, [a, b], options)");
    return this.#iterate(sql, parameters, options, this.iterate);
  }

  #iterate<R>(
    sql: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): AsyncIterableIterator<R> {
    const rows = this.#router.iterate(sql, parameters, options, caller);
    kept.set(rows, this);
    return rows;
  }

  /**
   * Prepares a statement that can be run many times. It holds no connection: each connection that runs it compiles it
   * once. If prepared from a `{ sql, values }` object, it always has those values. Throws at once for a statement that
   * no single call of a pool can run.
   *
   * @example
   * const byName = pool.prepare("SELECT id, text FROM note WHERE name = ?");
   * const note = await byName.get(["first"]);
   */
  prepare(sql: string | SqlStatement): PoolStatement {
    refuseSurplus(arguments.length, 1, "prepare(sql)");
    const [text, fixed] = partsOf(sql, undefined);
    const router = this.#router;
    router.checkStatement(text);
    return new PoolStatement(text, fixed, {
      ...runBy(this.#rows, (mode, ...rest) => router.query(mode, text, ...rest)),
      iterate: (values, options, caller) => this.#iterate(text, values, options, caller),
      columns: async (options, caller) => (await router.describe(text, options, caller)).columns,
    });
  }

  /**
   * The rows of a PRAGMA; with `{ simple: true }` the first value of the first row, as in better-sqlite3. Pragmas that
   * are stored in the file can be set. Pragmas of one connection are refused with a ProgrammingError, and so is another
   * journal mode, which SQLite cannot set beside open readers: use the option `pragmas`.
   *
   * @example
   * const version = await pool.pragma("user_version", { simple: true });
   * const columns = await pool.pragma("table_info(note)");
   */
  async pragma(source: string, options: PragmaOptions & { simple: true }): Promise<unknown>;
  async pragma<R = ObjectRow>(source: string, options?: PragmaOptions): Promise<R[]>;
  async pragma(source: string, options: PragmaOptions = {}): Promise<unknown> {
    refuseSurplus(arguments.length, 2, "pragma(source, options)");
    const { sql, simple, limits } = pragmaParts(source, options);
    const call = await this.#router.query(Mode.ALL, sql, undefined, limits, this.pragma, !simple);
    return simple ? (call.rows as unknown[][])[0]?.[0] : objectRows(call, this.#rows);
  }

  /**
   * Maximum number of read-only connections for single calls. Can be changed while the pool is in use, to at least 1;
   * then the pool no longer opens more while all are busy. Surplus connections are closed when they are idle. It is 0
   * and cannot be set for a pool whose connections are all equal.
   */
  get readers(): number {
    return this.#readers === this.#writers ? 0 : this.#readers.bounds.calls;
  }

  /** Holds from now on. Throws TypeError or RangeError. */
  set readers(count: number) {
    if (typeof count !== "number") throw new TypeError("readers must be an integer");
    const wanted = integer(count, "readers", 0, 1);
    if (this.#readers === this.#writers) throw new RangeError("this pool was created without readers");
    if (this.#closing !== null) throw poolClosed();
    this.#readers.resize(wanted);
  }

  /**
   * Runs a statement that writes once for each parameter set of an Iterable or AsyncIterable, in bounded memory and in
   * one transaction. If one set fails, all are rolled back, and the error has its index as `parameterSet`. The values
   * of an array are copied when the call is made, those of other iterables when they are read.
   *
   * @example
   * await pool.executemany("INSERT INTO note (text) VALUES (?)", [["one"], ["two"]]);
   */
  async executemany<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameterSets: Iterable<P> | AsyncIterable<P>,
    options?: CallOptions,
  ): Promise<ManyResult> {
    refuseSurplus(arguments.length, 3, "executemany(sql, [[a, b], [c, d]], options)");
    const changes = await this.#router.many(sql, parameterSets, options, this.executemany);
    return { changes: Math.max(0, changes) };
  }

  /**
   * Runs the statements of a script on the writer, without other calls in between. Each is a transaction of its own
   * unless the script has BEGIN and COMMIT. If a statement fails, an open transaction is rolled back.
   */
  async exec(script: string | SqlStatement, options?: CallOptions): Promise<void> {
    refuseSurplus(arguments.length, 2, "exec(script, options)");
    await this.#router.script(script, options, this.exec);
  }

  /**
   * Runs `fn` in a write transaction that no other call can enter: commits when it returns, rolls back when it throws.
   *
   * @example
   * await pool.transaction(async (tx) => {
   *   const account = await tx.get<{ balance: number }>("SELECT balance FROM account WHERE id = ?", [1]);
   *   if (account === undefined) throw new Error("no such account");
   *   await tx.run("UPDATE account SET balance = ? WHERE id = ?", [account.balance - 10, 1]);
   * });
   */
  transaction<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: PoolTransactionOptions = {},
  ): Promise<T> {
    const mode = options?.mode ?? "immediate";
    return traceTransaction(mode, this.#path, (trace) =>
      this.#exclusive.transaction(fn, options, trace, this.transaction),
    );
  }

  /** Runs `fn` on one reader, in one snapshot of the database, for as long as it takes. */
  read<T>(fn: (tx: ReadTransaction) => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    return traceTransaction("read", this.#path, (trace) =>
      this.#exclusive.read(fn, options, trace, this.read),
    );
  }

  /**
   * Exclusive use of a connection, with aiosqlite's methods, until it is released by `await using`, `close()` or {@link
   * release}. Uncommitted changes are rolled back then.
   */
  async acquire(options: AcquireOptions = {}): Promise<Connection> {
    const connection = await this.#exclusive.acquire(options, this.acquire);
    kept.set(connection, this);
    return connection;
  }

  /** Releases a connection of {@link acquire}. A second release does nothing. */
  async release(connection: Connection): Promise<void> {
    await this.#leases.giveBack(connection);
  }

  /** @internal */
  protected override async define(definition: PoolFunction): Promise<void> {
    this.#dispatcher.check();
    // Open a writer first, so that at least one connection checks the definition.
    if (this.#writers.members.length === 0) await this.#barrier();
    const advance = (): void => {
      this.#writers.advance();
      this.#readers.advance();
    };
    await this.#functions.create(definition, () => this.#members(), advance);
  }

  /**
   * Copies the database into a file or a connection, like the connection's `backup()`. It reads one snapshot on a
   * reader, however much is written meanwhile.
   *
   * @example
   * await pool.backup("backup.db", { pages: 500, progress: (status, remaining) => show(remaining) });
   */
  async backup(target: Connection | string | URL | Buffer, options: BackupOptions = {}): Promise<void> {
    await this.#copies.backup(target, options, this.backup);
  }

  /** The database as the bytes of its file, like the connection's `serialize()`, from a reader. */
  async serialize(options: CallOptions & { name?: string | undefined } = {}): Promise<Uint8Array> {
    return await this.#copies.serialize(options, this.serialize);
  }

  /**
   * One snapshot of the database as lines of SQL, like the connection's `iterdump()`. Holds a reader until the loop
   * ends.
   */
  iterdump(options: DumpOptions = {}): AsyncGenerator<string, void, undefined> {
    const lines = this.#copies.iterdump(dumpFilter(options), this.iterdump);
    kept.set(lines, this);
    return lines;
  }

  /**
   * Calls `listener` after each commit with what it changed. Commits that are acknowledged together produce one event.
   * Throws NotSupportedError without `@sqlite-aio/native`.
   *
   * @example
   * pool.on("change", ({ tables, any }) => {
   *   if (any || tables.includes("note")) refresh();
   * });
   */
  on(event: "change", listener: ChangeListener): this {
    this.#changes.on(event, listener, this);
    return this;
  }

  /** Like {@link on}, but for the next change only. */
  once(event: "change", listener: ChangeListener): this {
    this.#changes.once(event, listener, this);
    return this;
  }

  /** Removes a listener of {@link on} or {@link once}. */
  off(event: "change", listener: ChangeListener): this {
    this.#changes.off(event, listener);
    return this;
  }

  /**
   * A query's rows, and its rows again after each commit that changed a table that it reads. Commits of this pool are
   * seen at once, those of others within `changePollInterval`. Ends by `break`, by `return()` and when the pool closes.
   * Rejects with the signal's reason. Needs `@sqlite-aio/native`.
   *
   * @example
   * for await (const rows of pool.watch("SELECT id, text FROM note", [], { signal })) render(rows);
   */
  watch<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): LiveQuery<R> {
    const [text, given] = partsOf(sql, parameters);
    checkSql(text);
    const values = keepParameters(text, given);
    return new Watch<R>(
      {
        sql: text,
        changes: this.#changes,
        query: async (callOptions) => await this.all<R>(text, values(), callOptions),
        access: (callOptions) => this.#router.access(text, callOptions),
      },
      options,
    );
  }

  /** What the pool is doing at this moment. */
  stats(): PoolStats {
    return poolStats(this.#options, this.#writers, this.#readers, this.#dispatcher.pending);
  }

  /**
   * Takes no further calls, finishes earlier ones, checkpoints and closes. Calls that are not finished after `timeout`
   * ms (default 30000) reject. A second call returns the first one's result.
   */
  async close(options: { timeout?: number | undefined } = {}): Promise<void> {
    const timeout = integer(checkOptions(options, ["timeout"]).timeout, "timeout", 30_000, 0);
    this.#leases.refuseInside();
    notForgotten(this.#maintenance);
    this.#closing ??= closePool(this.#parts, timeout);
    await this.#closing;
  }

  /** @internal The pool takes no further calls. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /** Closes the pool at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const { writers, readers, busy, waiting, pending } = this.stats();
    const state = this.#closing === null ? "open" : writers > 0 ? "closing" : "closed";
    return inspected(
      this,
      { path: this.#path, state, writers, readers, busy, waiting, pending },
      depth,
      options,
    );
  }

  get #parts(): PoolParts {
    return {
      dispatcher: this.#dispatcher,
      maintenance: this.#maintenance,
      changes: this.#changes,
      readers: this.#readers,
      writers: this.#writers,
    };
  }

  get #path(): string {
    return shownDatabase(this.#options.connection.thread.open.path);
  }

  /** The writers first. */
  #members(): Member[] {
    const { members } = this.#writers;
    return this.#readers === this.#writers ? [...members] : [...members, ...this.#readers.members];
  }

  async #barrier(): Promise<void> {
    await this.#dispatcher.perform(this.#writers, ANY, undefined, (handle) => {
      const call = handle.control(Verb.BARRIER);
      handle.submit(call, undefined, null);
      return call;
    });
  }
}

/** Keeps a pool reachable while its connections and iterators are in use. */
const kept = new WeakMap<object, Pool>();

/** Closes a pool that was garbage-collected. Only its parts are captured. */
function closer(parts: PoolParts): (timeout: number) => Promise<void> {
  return (timeout) => closePool(parts, timeout);
}

/** The groups of a pool. The function that opens members is made before they are, so they are filled in later. */
type Groups = { [R in Role]?: MemberGroup };

function starter(
  options: ResolvedPoolOptions,
  functions: PoolFunctions,
  changes: ChangeEvents,
  groups: Groups,
): (role: Role, signal: AbortSignal) => Promise<Member> {
  return async (role, signal) => {
    const member = await Member.start(role, options, functions, signal);
    if (role === "writer") changes.adopt(member.channel);
    member.channel.onDeath = () => groups[role]?.lost(member);
    return member;
  };
}

function boundsOf({ readers, readLeases, adaptive }: ResolvedPoolOptions): Bounds {
  return { calls: readers, relief: adaptive ? readers : 0, leases: readLeases };
}
