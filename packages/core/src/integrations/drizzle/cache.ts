import { inspect } from "node:util";
import { entityKind, getTableName } from "drizzle-orm";
import { Cache, type MutationOption } from "drizzle-orm/cache/core";

type Entry = Parameters<Cache["put"]>;

/** The cache of a session, for queries that run outside or inside a transaction. */
export interface SessionCache extends Cache {
  /** The cache for one execution of a query that reads or writes `tables`. */
  forExecution(tables: readonly string[]): ExecutionCache;
  /** Reports a change to the cache. Never rejects: the change is made, so the caller must not repeat it. */
  changed(change: MutationOption): Promise<void>;
}

/** The cache that the user gave. Counts the changes of each table, so that outdated rows are not stored. */
export class DatabaseCache extends Cache implements SessionCache {
  static override readonly [entityKind]: string = "SqliteAioDatabaseCache";
  readonly #cache: Cache;
  /** Number of changes by table. Rows that were read before the latest change must not be stored. */
  readonly #changes = new Map<string, number>();

  constructor(cache: Cache) {
    super();
    this.#cache = cache;
  }

  strategy(): "explicit" | "all" {
    return this.#cache.strategy();
  }

  async get(...args: Parameters<Cache["get"]>): ReturnType<Cache["get"]> {
    return await this.#cache.get(...args);
  }

  async put(...args: Entry): Promise<void> {
    await this.#cache.put(...args);
  }

  async onMutate(change: MutationOption): Promise<void> {
    for (const table of tableNames(change)) this.#changes.set(table, (this.#changes.get(table) ?? 0) + 1);
    await this.#cache.onMutate(change);
  }

  /** Drizzle's `$cache.invalidate()`. */
  async invalidate(change: MutationOption): Promise<void> {
    await this.onMutate(change);
  }

  forExecution(tables: readonly string[]): ExecutionCache {
    const count = (): number => tables.reduce((sum, table) => sum + (this.#changes.get(table) ?? 0), 0);
    const before = count();
    return new ExecutionCache(this, () => count() === before);
  }

  async changed(change: MutationOption): Promise<void> {
    try {
      await this.onMutate(change);
    } catch (error) {
      const warning = new Error("what was written is committed, but the cache could not be told of it");
      const detail = inspect(error, { customInspect: false });
      process.emitWarning(Object.assign(warning, { name: "CacheWarning", code: "SQLITE_AIO_CACHE", detail }));
    }
  }
}

/**
 * The cache of a transaction. It gives no rows, because the transaction may see other rows than the cache has. It
 * reports changes only after the COMMIT.
 */
export class TransactionCache extends Cache implements SessionCache {
  static override readonly [entityKind]: string = "SqliteAioTransactionCache";
  readonly #outer: SessionCache;
  readonly #tables = new Set<string>();
  readonly #tags = new Set<string>();

  constructor(outer: SessionCache) {
    super();
    this.#outer = outer;
  }

  strategy(): "explicit" {
    return "explicit";
  }

  async get(): Promise<undefined> {
    return undefined;
  }

  async put(): Promise<void> {}

  async onMutate(change: MutationOption): Promise<void> {
    for (const table of tableNames(change)) this.#tables.add(table);
    for (const tag of [change.tags ?? []].flat()) this.#tags.add(tag);
  }

  forExecution(): ExecutionCache {
    return new ExecutionCache(this, () => true);
  }

  changed(change: MutationOption): Promise<void> {
    return this.onMutate(change);
  }

  /** Reports all changes of the transaction to the outer cache. */
  async committed(): Promise<void> {
    if (this.#tables.size + this.#tags.size === 0) return;
    await this.#outer.changed({ tables: [...this.#tables], tags: [...this.#tags] });
  }
}

/**
 * The cache for one execution of a query. Drizzle reports a change while the query runs, when other callers still read
 * the old rows. So the change is kept until the query has ended. Rows that were read before a change are not stored
 * after it.
 */
export class ExecutionCache extends Cache {
  static override readonly [entityKind]: string = "SqliteAioExecutionCache";
  readonly #cache: Cache;
  readonly #isCurrent: () => boolean;
  #change: MutationOption | null = null;

  constructor(cache: Cache, isCurrent: () => boolean) {
    super();
    this.#cache = cache;
    this.#isCurrent = isCurrent;
  }

  /** The change that Drizzle has reported; null if there is none. */
  get change(): MutationOption | null {
    return this.#change;
  }

  strategy(): "explicit" | "all" {
    return this.#cache.strategy();
  }

  async get(...args: Parameters<Cache["get"]>): ReturnType<Cache["get"]> {
    return await this.#cache.get(...args);
  }

  async put(...args: Entry): Promise<void> {
    if (this.#isCurrent()) await this.#cache.put(...args);
  }

  async onMutate(change: MutationOption): Promise<void> {
    this.#change = change;
  }
}

function tableNames({ tables = [] }: MutationOption): string[] {
  return [tables].flat().map((table) => (typeof table === "string" ? table : getTableName(table)));
}
