import { Flag, Mode, scanParameters } from "@sqlite-aio/worker/wire";
import { bindParameters, type Parameters } from "./bind.js";
import type { Call } from "./call.js";
import { foundSqliteVersion } from "./version.js";
import type { Connection } from "./connection.js";
import { Cursor } from "./cursor.js";
import { ConnectionClosedError, OperationalError, QueueFullError, WorkerCrashedError } from "./errors.js";
import type { FunctionOptions, SqlFunction } from "./functions.js";
import { type CallOptions, checkSignal, integer, oneOf } from "./options.js";
import { Group, type Request } from "./pool-group.js";
import { type Lease, Leases } from "./pool-leases.js";
import { Member, type PoolFunction, type Role } from "./pool-member.js";
import { type PoolOptions, type ResolvedPoolOptions, resolvePoolOptions } from "./pool-options.js";
import { poolStats, type PoolStats } from "./pool-stats.js";
import {
  type ExecuteOptions,
  type ExecuteResult,
  executeResult,
  PoolTransaction,
  pinSnapshot,
  ReadTransaction,
  readOnly,
  type RunResult,
  runResult,
} from "./pool-transaction.js";
import { Upkeep } from "./pool-upkeep.js";
import { RowIterator } from "./row-iterator.js";
import type { AnyRow } from "./row-maker.js";
import { toError } from "./runner.js";
import { checkSql } from "./statement-cache.js";
import { type Profile, StatementProfiles } from "./statement-profile.js";
import { inTransaction, type TransactionOptions } from "./transaction.js";

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

type Caller = (...args: never[]) => unknown;

/**
 * Several connections to one database behind one face. Reads run side by side on read-only connections, writes one
 * after the other on the writer; every call is a transaction of its own unless `transaction()` says otherwise.
 */
export class Pool {
  readonly #options: ResolvedPoolOptions;
  readonly #writers: Group;
  readonly #readers: Group;
  readonly #profiles = new StatementProfiles(2000);
  readonly #functions = new Map<string, PoolFunction>();
  readonly #leases: Leases;
  readonly #upkeep: Upkeep;
  #pending = 0;
  #drained: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: ResolvedPoolOptions) {
    this.#options = options;
    const spawn = (role: Role): Promise<Member> => this.#spawn(role);
    this.#writers = new Group("writer", options.writers, options, spawn);
    this.#readers =
      options.readers === 0 ? this.#writers : new Group("reader", options.readers, options, spawn);
    this.#leases = new Leases(this, options);
    this.#upkeep = new Upkeep(options, this.#writers, this.#readers);
  }

  /** @internal Use `createPool()`. */
  static async open(database: string | URL, options: PoolOptions): Promise<Pool> {
    const resolved = resolvePoolOptions(database, options);
    resolved.connection.signal?.throwIfAborted();
    const pool = new Pool(resolved);
    await pool.#writers.open();
    return pool;
  }

  /** Runs a statement on the writer and gives its counts. */
  async run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult> {
    return runResult(await this.#query(Mode.RUN, sql, parameters, options, this.run));
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R | undefined> {
    const call = await this.#query(Mode.GET, sql, parameters, options, this.get);
    return call.rows[0] as R | undefined;
  }

  /** All rows as objects. */
  async all<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]> {
    const call = await this.#query(Mode.ALL, sql, parameters, options, this.all);
    return call.rows as R[];
  }

  /** All there is to know of a statement, wherever it belongs: for query builders, which make rows of their own. */
  async execute(sql: string, parameters?: Parameters, options?: ExecuteOptions): Promise<ExecuteResult> {
    const mode = options?.firstRow === true ? Mode.GET : Mode.ALL;
    return executeResult(await this.#query(mode, sql, parameters, options, this.execute, false));
  }

  /** Rows as objects, read as they are wanted. The connection is held until the loop ends. */
  iterate<R = AnyRow>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterableIterator<R> {
    let lease: Lease | undefined;
    return new RowIterator(
      async () => {
        checkSql(sql);
        const values = bindParameters(scanParameters(sql), parameters);
        const profile = this.#profiles.get(sql);
        for (;;) {
          const reads = this.#splits && !profile.writes;
          const group = reads ? this.#readers : this.#writers;
          lease = await this.#lease(group, "iterate()", options?.signal, this.iterate);
          const cursor = new Cursor(null, lease.runner("pool"), reads ? Flag.READ_ONLY : 0);
          try {
            return await cursor.execute(sql, values, options);
          } catch (error) {
            await lease.end();
            if (!reads || !isReadOnly(error)) throw error;
            profile.writes = true;
          }
        }
      },
      async () => lease?.end(),
    );
  }

  /** Runs the statements of a script on the writer. */
  async exec(script: string, options?: CallOptions): Promise<void> {
    checkSql(script);
    await this.#perform(this.#writers, "any", options, (member) => {
      const call = member.runner.script(script, 0);
      member.runner.submit(call, options, this.exec);
      return call;
    });
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
  async transaction<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: PoolTransactionOptions = {},
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    const mode = oneOf(options.mode, "mode", "immediate", ["deferred", "immediate", "exclusive"]);
    let retries = integer(options.retries, "retries", 0, 0);
    for (;;) {
      const lease = await this.#lease(this.#writers, "transaction()", options.signal, this.transaction);
      try {
        return await this.#leases.inside(() =>
          inTransaction(lease.runner("pool"), (runner) => new PoolTransaction(runner), fn, {
            ...options,
            mode,
          }),
        );
      } catch (error) {
        if (!isBusy(error) || retries-- <= 0) throw error;
      } finally {
        lease.endSoon();
        this.#upkeep.wrote();
      }
    }
  }

  /** Runs `fn` on one reader, in one snapshot of the database, for as long as it takes. */
  async read<T>(fn: (tx: ReadTransaction) => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("read: the first argument must be a function");
    const lease = await this.#lease(this.#readers, "read()", checkSignal(options.signal), this.read);
    try {
      const runner = lease.runner("pool");
      await pinSnapshot(runner);
      return await this.#leases.inside(() => fn(new ReadTransaction(runner)));
    } finally {
      lease.endSoon();
    }
  }

  /**
   * A connection to oneself, with aiosqlite's methods, until it is released: by `await using`, `close()` or
   * {@link release}. What is not committed by then is rolled back.
   */
  async acquire(options: AcquireOptions = {}): Promise<Connection> {
    const mode = oneOf(options.mode, "mode", "write", ["read", "write"]);
    const group = mode === "read" ? this.#readers : this.#writers;
    const lease = await this.#lease(group, "acquire()", checkSignal(options.signal), this.acquire);
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
    this.#check();
    const definition: PoolFunction = { name, parameters, fn, options };
    for (const member of this.#members()) await member.alone(() => member.define(definition));
    this.#functions.set(`${name.toLowerCase()}/${parameters}`, definition);
  }

  /** What the pool is doing at this moment. */
  stats(): PoolStats {
    return poolStats(this.#options, this.#writers, this.#readers, this.#pending);
  }

  /**
   * Takes no further calls, finishes what was called before, checkpoints and closes. What is not finished after
   * `timeout` ms (default 30000) rejects. A second call is the first.
   */
  close(options: { timeout?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(integer(options.timeout, "timeout", 30_000, 0)).catch((error: unknown) => {
      if (this.#members().some((member) => member.channel.alive)) this.#closing = null;
      throw error;
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Readers and writers are different connections. */
  get #splits(): boolean {
    return this.#readers !== this.#writers;
  }

  #members(): Member[] {
    return this.#splits ? [...this.#readers.members, ...this.#writers.members] : [...this.#writers.members];
  }

  #check(): void {
    if (this.#closing !== null) throw new ConnectionClosedError("Pool closed");
    this.#leases.refuseInside();
    if (this.#pending >= this.#options.connection.maxQueue) {
      throw new QueueFullError(`${this.#pending} calls are waiting or running already (maxQueue)`);
    }
  }

  async #query(
    mode: number,
    sql: string,
    parameters: Parameters | undefined,
    options: CallOptions | undefined,
    caller: Caller,
    objects = true,
  ): Promise<Call> {
    const profile = this.#profiles.get(sql);
    for (;;) {
      const reads = mode !== Mode.RUN && !profile.writes;
      const group = reads ? this.#readers : this.#writers;
      const flags = reads && this.#splits ? Flag.READ_ONLY : this.#options.groupCommit ? Flag.GROUP : 0;
      const call = await this.#perform(
        group,
        this.#needOf(group, profile),
        options,
        (member, values) => {
          const made = member.runner.query(mode, sql, values ?? parameters, 0, flags);
          made.objects &&= objects;
          member.runner.submit(made, options, caller);
          return made;
        },
        profile.quick,
        () => {
          checkSql(sql);
          return bindParameters(scanParameters(sql), parameters);
        },
      );
      if (call.refused) {
        if (this.#options.connection.thread.open.readonly) throw readOnly(sql);
        profile.writes = true;
        continue;
      }
      this.#profiles.spent(profile, call.took);
      if (!reads || profile.writes) this.#upkeep.wrote();
      return call;
    }
  }

  /**
   * A short read joins others on a busy reader: 64 callers read 110,000 rows a second that way, against 11,000 with one
   * call per reader at a time. A long one would hold them up, so that it waits for a reader of its own.
   */
  #needOf(group: Group, profile: Profile): Request["need"] {
    return group.single ? "any" : profile.quick ? "quick" : "idle";
  }

  /**
   * Makes and sends a call as soon as a member of the group takes it, and waits for its answer. A call whose thread
   * died before it had begun is sent again, to the replacement.
   */
  async #perform(
    group: Group,
    need: Request["need"],
    options: CallOptions | undefined,
    make: (member: Member, values?: Parameters) => Call,
    quick = false,
    bind?: () => Parameters,
  ): Promise<Call> {
    this.#check();
    this.#pending++;
    try {
      for (;;) {
        const picked = group.pick(need);
        const { call, member } =
          picked === null
            ? await this.#wait(group, need, options, quick, make, bind?.())
            : { call: this.#track(group, picked, make(picked), quick), member: picked };
        try {
          await call.promise;
        } catch (reason) {
          if (reason instanceof WorkerCrashedError && reason.outcome === "not-started") continue;
          if (call.abandoned && !call.finished) {
            member.setAside(call);
            group.advance();
          }
          throw toError(reason, call);
        }
        if (member.channel.tainted) this.#leases.cleanse(member, group);
        return call;
      }
    } finally {
      this.#done();
    }
  }

  #wait(
    group: Group,
    need: Request["need"],
    options: CallOptions | undefined,
    quick: boolean,
    make: (member: Member, values?: Parameters) => Call,
    values: Parameters | undefined,
  ): Promise<{ call: Call; member: Member }> {
    return this.#inLine(group, need, options, (member) => ({
      call: this.#track(group, member, make(member, values), quick),
      member,
    }));
  }

  /** Waits in the group's line, for as long as the options allow; `take` is given the member at once when it is free. */
  #inLine<T>(
    group: Group,
    need: Request["need"],
    options: CallOptions | undefined,
    take: (member: Member) => T,
  ): Promise<T> {
    const signal = checkSignal(options?.signal);
    const timeout = integer(options?.timeout, "timeout", 0, 0);
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => void leave(signal?.reason);
      const over = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const place = (member: Member): void => {
        over();
        try {
          resolve(take(member));
        } catch (error) {
          reject(error);
        }
      };
      const refuse = (reason: unknown): void => {
        over();
        reject(reason);
      };
      const leave = group.enqueue({ need, place, refuse });
      signal?.addEventListener("abort", onAbort, { once: true });
      if (timeout > 0) {
        timer = setTimeout(() => {
          leave(new OperationalError(`the timeout of ${timeout} ms is over`, { code: "SQLITE_INTERRUPT" }));
        }, timeout);
      }
    });
  }

  #track(group: Group, member: Member, call: Call, quick: boolean): Call {
    member.track(call, quick, () => group.advance());
    return call;
  }

  #done(): void {
    if (--this.#pending === 0) this.#drained?.();
  }

  async #lease(group: Group, what: string, signal: AbortSignal | undefined, caller: Caller) {
    this.#check();
    const place: { stack?: string } = {};
    Error.captureStackTrace(place, caller);
    this.#pending++;
    try {
      const picked = group.pick("idle");
      const grant = (member: Member) =>
        this.#leases.grant(member, group, what, place.stack, () => this.#done());
      return picked === null ? await this.#inLine(group, "idle", { signal }, grant) : grant(picked);
    } catch (error) {
      this.#done();
      throw error;
    }
  }

  async #spawn(role: Role): Promise<Member> {
    const { member, opened } = await Member.open(role, this.#options, this.#functions.values());
    foundSqliteVersion(opened.sqliteVersion);
    const group = role === "reader" ? this.#readers : this.#writers;
    member.channel.onDeath = () => {
      group.remove(member);
      if (this.#closing !== null) return;
      group.respawned++;
      // Whoever needs it next asks again if it cannot be opened now.
      group.open().then(
        () => group.advance(),
        () => group.advance(),
      );
    };
    return member;
  }

  async #close(timeout: number): Promise<void> {
    this.#leases.refuseInside();
    this.#upkeep.stop();
    const late = new ConnectionClosedError("Pool closed");
    const drained = new Promise<boolean>((resolve) => {
      this.#drained = () => resolve(true);
      if (this.#pending === 0) resolve(true);
    });
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeout);
    });
    const inTime = await Promise.race([drained, deadline]);
    clearTimeout(timer);
    this.#readers.close(late);
    this.#writers.close(late);
    await this.#leases.settled(inTime);
    if (this.#splits) await Promise.all(this.#readers.members.map((member) => member.close(inTime)));
    for (const member of this.#writers.members) {
      if (inTime && this.#options.wal && this.#options.checkpoint === "auto")
        await this.#upkeep.truncate(member);
      await member.close(inTime);
    }
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

function codeOf(error: unknown): string {
  return error instanceof OperationalError ? error.code : "";
}

function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}

function isReadOnly(error: unknown): boolean {
  return codeOf(error) === "SQLITE_READONLY";
}
