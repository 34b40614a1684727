import { inspect } from "node:util";
import { entityKind, getTableName } from "drizzle-orm";
import { Cache, type MutationOption } from "drizzle-orm/cache/core";

type Entry = Parameters<Cache["put"]>;

/** What a query's execution has to do with a cache. */
export interface SessionCache extends Cache {
  /** The cache for one execution of a query that has to do with `tables`. */
  forExecution(tables: readonly string[]): ExecutionCache;
  /** Tells it of a change that has been made. Never rejects: the change stands, and whoever made it must not repeat it. */
  changed(change: MutationOption): Promise<void>;
}

/** The cache that a database was given, and which of its tables were changed meanwhile. */
export class DatabaseCache extends Cache implements SessionCache {
  static override readonly [entityKind]: string = "SqliteAioDatabaseCache";
  readonly #cache: Cache;
  /** How often the tables were changed, by name; the cache may hold none of their rows from before. */
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
 * The cache as a transaction sees it: empty, since what others may read is not what it reads, and told of changes only
 * when they are committed.
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

  /** Tells the cache outside what was changed. */
  async committed(): Promise<void> {
    if (this.#tables.size + this.#tags.size === 0) return;
    await this.#outer.changed({ tables: [...this.#tables], tags: [...this.#tags] });
  }
}

/**
 * The cache as one execution of a query sees it. Drizzle tells of a change beside the query that makes it, when others
 * still read what was there before: here it is kept until the query is over. And what was read before a change is not put
 * there after it.
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

  /** What the query changes, as far as Drizzle has told. */
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
