import { inspect, type InspectOptionsStylized } from "node:util";
import { messageOf } from "@sqlite-aio/worker/wire";
import { ConnectionClosedError, PoolTimeoutError, ProgrammingError } from "../../errors/errors.js";
import { checkOptions, integer, refuseSurplus } from "../../options/connect-options.js";
import { Deadline } from "../../options/deadline.js";
import { parked } from "../../thread/start-thread.js";
import { createPool } from "../create-pool.js";
import { inspected } from "../../tracing/inspected.js";
import type { Pool } from "../pool.js";
import { Reentrancy } from "../../connection/reentrancy.js";
import {
  checkDatabase,
  type PoolsOptions,
  type ResolvedPoolsOptions,
  resolvePoolsOptions,
} from "./options.js";
import { Tenant } from "./tenant.js";

/** The state of a {@link Pools}. */
export interface PoolsStats {
  /** Open databases. */
  open: number;
  /** Open databases that are in use. */
  inUse: number;
  /** Databases that are being opened. */
  opening: number;
  /** Databases that are being closed. */
  closing: number;
  /** Uses that wait for another database to be closed before theirs can be opened. */
  waiting: number;
  /** How often a database was opened. */
  opened: number;
  /** How often a database was closed because it was least recently used, or idle for too long. */
  evicted: number;
}

/** A waiting use. */
interface Request<K> {
  readonly key: K;
  readonly since: number;
  readonly serve: (tenant: Tenant) => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * If the first use in line has waited this many ms, new uses wait behind it, even for databases that are open.
 * Otherwise databases in constant use would starve it.
 */
const PATIENCE_MS = 100;

/** Opens databases by key, each with its own pool. Closes the least recently used one to make room. */
export class Pools<K = string> {
  readonly #options: ResolvedPoolsOptions<K>;
  /** All databases, in whatever state, least recently used first. */
  readonly #tenants = new Map<K, Tenant>();
  readonly #waiting: Request<K>[] = [];
  readonly #reentrancy = new Reentrancy();
  /** Set while there are databases: threads of closed databases are reserved for the ones that replace them. */
  #unreserve: (() => void) | null = null;
  readonly #whenUnused: (() => void)[] = [];
  /** Uses that have not ended. */
  #pending = 0;
  #opened = 0;
  #evicted = 0;
  #sweep: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;

  /** @internal Use `createPools()`. */
  constructor(options: PoolsOptions<K>) {
    this.#options = resolvePoolsOptions(options);
  }

  /**
   * Runs `fn` with the pool of the key's database. The database is opened if necessary and stays open while `fn` runs.
   * A use inside another use's `fn` does not wait for room: it opens one more database. Rejects with what `open()` or
   * `fn` throws, with ConnectionClosedError after `close()`, and with the signal's reason.
   */
  async use<T>(
    key: K,
    fn: (pool: Pool) => T | Promise<T>,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    refuseSurplus(arguments.length, 3, "use(key, fn, options)");
    if (key === undefined || key === null) throw new TypeError(`use: the key must not be ${String(key)}`);
    if (typeof fn !== "function") throw new TypeError("use: the second argument must be a function");
    const deadline = Deadline.of({ signal: checkOptions(options, ["signal"]).signal })!;
    if (this.#closing !== null) throw poolsClosed();
    this.#pending++;
    try {
      const tenant = this.#reentrancy.enclosesCaller
        ? await this.#enterInside(key)
        : (this.#enter(key) ?? (await this.#wait(key, deadline)));
      try {
        const pool = await deadline.race(tenant.pool);
        return await this.#reentrancy.inside(() => fn(pool));
      } finally {
        this.#leave(key, tenant);
      }
    } finally {
      if (--this.#pending === 0) for (const resolve of this.#whenUnused.splice(0)) resolve();
    }
  }

  /** The current number of open and waiting databases and uses. */
  stats(): PoolsStats {
    const tenants = [...this.#tenants.values()];
    const count = (what: (tenant: Tenant) => boolean): number => tenants.filter(what).length;
    const open = (tenant: Tenant): boolean => !tenant.opening && !tenant.closing;
    return {
      open: count(open),
      inUse: count((tenant) => open(tenant) && tenant.uses > 0),
      opening: count(({ opening }) => opening),
      closing: count(({ closing }) => closing),
      waiting: this.#waiting.length,
      opened: this.#opened,
      evicted: this.#evicted,
    };
  }

  /**
   * Takes no further uses, waits for the running ones, and closes all databases. Databases still in use after `timeout`
   * ms (default 30000) are closed anyway. A second call returns the first one's result. Rejects if closing a database
   * fails.
   */
  async close(options: { timeout?: number | undefined } = {}): Promise<void> {
    const timeout = integer(checkOptions(options, ["timeout"]).timeout, "timeout", 30_000, 0);
    if (this.#reentrancy.enclosesCaller) {
      throw new ProgrammingError("close() was called inside of a use() and would wait for itself", {
        code: "SQLITE_MISUSE",
      });
    }
    this.#closing ??= this.#closeAll(timeout);
    await this.#closing;
  }

  /** Closes all databases at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    return inspected(
      this,
      { state: this.#closing === null ? "open" : "closed", ...this.stats() },
      depth,
      options,
    );
  }

  /** Gives the key's database at once, if it is open or there is room for it, and no use is starving. */
  #enter(key: K): Tenant | null {
    const there = this.#tenants.get(key);
    const waits = this.#waiting.length > 0;
    if (there?.usable === true && !this.#starving) return entered(there);
    if (there === undefined && !waits && this.#tenants.size < this.#options.max) return this.#open(key);
    return null;
  }

  /**
   * Waits only while the key's own database is being closed. Uses that hold a database must not wait for each other.
   */
  async #enterInside(key: K): Promise<Tenant> {
    for (;;) {
      const there = this.#tenants.get(key);
      if (there === undefined) return this.#open(key);
      if (there.usable) return entered(there);
      await this.#close(key, there);
    }
  }

  async #wait(key: K, deadline: Deadline): Promise<Tenant> {
    const { promise, resolve, reject } = Promise.withResolvers<Tenant>();
    const request: Request<K> = { key, since: performance.now(), serve: resolve, refuse: reject };
    const giveUp = (reason: unknown): void => {
      if (this.#remove(request)) reject(reason);
      this.#advance();
    };
    const { acquireTimeout } = this.#options;
    const timer =
      acquireTimeout === 0 ? undefined : setTimeout(() => giveUp(this.#timedOut()), acquireTimeout);
    this.#waiting.push(request);
    this.#advance();
    const stopWatching = deadline.watch(giveUp);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      stopWatching();
    }
  }

  #leave(key: K, tenant: Tenant): void {
    tenant.leave();
    if (this.#tenants.get(key) === tenant) {
      // Moves it to the end of the map: most recently used.
      this.#tenants.delete(key);
      this.#tenants.set(key, tenant);
    }
    this.#advance();
    this.#sweepLater();
  }

  #open(key: K): Tenant {
    this.#opened++;
    const tenant = new Tenant(async () => {
      const { database, options } = checkDatabase(await this.#options.open(key), this.#options.folder);
      return await createPool(database, options);
    });
    this.#tenants.set(key, tenant);
    this.#unreserve ??= parked.reserve(this.#options.max);
    tenant.pool.catch(() => {
      // Remove it: the next use tries again.
      this.#gone(key, tenant);
    });
    return entered(tenant);
  }

  /** Closes a database. Its key and its place are free afterwards. */
  async #close(key: K, tenant: Tenant): Promise<void> {
    try {
      await tenant.close();
    } catch (error) {
      process.emitWarning(`a database of createPools() did not close well: ${messageOf(error)}`);
    }
    this.#gone(key, tenant);
  }

  #gone(key: K, tenant: Tenant): void {
    if (this.#tenants.get(key) !== tenant) return;
    this.#tenants.delete(key);
    this.#advance();
    if (this.#tenants.size === 0) this.#release();
  }

  #release(): void {
    this.#unreserve?.();
    this.#unreserve = null;
  }

  /** Serves waiting uses in order, and makes room for them. */
  #advance(): void {
    const { max } = this.#options;
    const starving = this.#starving;
    const wanted = new Set<K>();
    for (const request of Array.from(this.#waiting)) {
      const { key } = request;
      const there = this.#tenants.get(key);
      const first = wanted.size === 0;
      if (there?.usable === true && (first || !starving)) this.#serve(request, entered(there));
      else if (there === undefined && first && this.#tenants.size < max)
        this.#serve(request, this.#open(key));
      else if (there === undefined) wanted.add(key);
      // The user has closed its pool, or it is being closed. It is opened again after that.
      else if (!there.closing && there.uses === 0) void this.#close(key, there);
    }
    let closing = 0;
    for (const tenant of this.#tenants.values()) if (tenant.closing) closing++;
    this.#evict(this.#tenants.size - max + wanted.size - closing);
  }

  /** Closes up to `count` idle databases, least recently used first. */
  #evict(count: number): void {
    for (const [key, tenant] of this.#tenants) {
      if (count <= 0) return;
      if (!tenant.idle) continue;
      count--;
      this.#evicted++;
      void this.#close(key, tenant);
    }
  }

  #serve(request: Request<K>, tenant: Tenant): void {
    this.#remove(request);
    request.serve(tenant);
  }

  #remove(request: Request<K>): boolean {
    const at = this.#waiting.indexOf(request);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Without this, databases in constant use would keep the first in line waiting for ever. */
  get #starving(): boolean {
    const [first] = this.#waiting;
    return first !== undefined && performance.now() - first.since > PATIENCE_MS;
  }

  #timedOut(): PoolTimeoutError {
    const { acquireTimeout, max } = this.#options;
    return new PoolTimeoutError(`none of ${max} databases in use became free within ${acquireTimeout} ms`);
  }

  /** Closes databases that were idle for `idleTimeout` ms, when the first one is due. */
  #sweepLater(): void {
    const { idleTimeout } = this.#options;
    if (idleTimeout === 0 || this.#sweep !== undefined || this.#closing !== null) return;
    let due = Infinity;
    for (const tenant of this.#tenants.values())
      if (tenant.idle) due = Math.min(due, tenant.idleSince + idleTimeout);
    if (due === Infinity) return;
    const wait = Math.max(1, Math.ceil(due - performance.now()));
    this.#sweep = setTimeout(() => {
      this.#sweep = undefined;
      const limit = performance.now() - idleTimeout;
      for (const [key, tenant] of this.#tenants) {
        if (!tenant.idle || tenant.idleSince > limit) continue;
        this.#evicted++;
        void this.#close(key, tenant);
      }
      this.#sweepLater();
    }, wait).unref();
  }

  async #closeAll(timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    await this.#unused(timeout);
    for (const request of this.#waiting.splice(0)) request.refuse(poolsClosed());
    clearTimeout(this.#sweep);
    this.#release();
    const left = Math.max(0, Math.floor(deadline - performance.now()));
    const closings = Array.from(this.#tenants.values(), async (tenant) => {
      // Still opening only if `timeout` is over; opening may never end.
      if (tenant.opening) tenant.abandon(poolsClosed());
      else await tenant.close(left);
    });
    try {
      await Promise.all(closings);
    } finally {
      await Promise.allSettled(closings);
      this.#tenants.clear();
    }
  }

  /** Resolves when no use is running, or after `timeout` ms. */
  async #unused(timeout: number): Promise<void> {
    if (this.#pending === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenUnused.push(resolve);
    const timer = setTimeout(resolve, timeout);
    await promise;
    clearTimeout(timer);
  }
}

/**
 * Manages many databases, each with its own pool. They are opened by key when they are used, and closed when others are
 * used more recently. Throws TypeError or RangeError for wrong options.
 *
 * @example
 * await using tenants = createPools({
 *   open: (name: string) => ({ database: `tenants/${name}.db`, options: { readers: 0 } }),
 *   max: 100,
 * });
 * const notes = await tenants.use("ada", (pool) => pool.all("SELECT id, text FROM note"));
 */
export function createPools<K = string>(options: PoolsOptions<K>): Pools<K> {
  return new Pools<K>(options);
}

function entered(tenant: Tenant): Tenant {
  tenant.enter();
  return tenant;
}

function poolsClosed(): ConnectionClosedError {
  return new ConnectionClosedError("Pools closed");
}
