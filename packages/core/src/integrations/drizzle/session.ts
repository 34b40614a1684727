import {
  entityKind,
  fillPlaceholders,
  type Logger,
  type Query,
  type RelationalSchemaConfig,
  type TablesRelationalConfig,
} from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { PreparedQuery } from "drizzle-orm/session";
import type { WithCacheConfig } from "drizzle-orm/cache/core/types";
import {
  type PreparedQueryConfig,
  type SelectedFieldsOrdered,
  type SQLiteAsyncDialect,
  type SQLiteExecuteMethod,
  SQLitePreparedQuery,
  SQLiteSession,
  SQLiteTransaction,
  type SQLiteTransactionConfig,
} from "drizzle-orm/sqlite-core";
import * as drizzleUtils from "drizzle-orm/utils";
import { keepParameters, type Parameters } from "../../values/bind.js";
import { type SessionCache, TransactionCache } from "./cache.js";
import type { RunResult } from "../../connection/run-result.js";

/** Runs statements: a pool or one of its transactions. */
export interface DrizzleExecutor {
  /** Runs a statement that writes. */
  run(sql: string, parameters?: Parameters): Promise<RunResult>;
  /** The first row, as an object. */
  get<R>(sql: string, parameters?: Parameters): Promise<R | undefined>;
  /** All rows, as objects. */
  all<R>(sql: string, parameters?: Parameters): Promise<R[]>;
  /** Runs a statement and returns its rows as arrays. */
  execute(
    sql: string,
    parameters?: Parameters,
    options?: { firstRow?: boolean | undefined },
  ): Promise<{
    /** The values of each row, in the order of the columns. */
    rows: unknown[][];
  }>;
  /** Commits when `fn` returns, rolls back when it throws. */
  transaction<T>(
    fn: (tx: DrizzleExecutor) => Promise<T>,
    options?: { mode?: "deferred" | "immediate" | "exclusive" | undefined; signal?: AbortSignal | undefined },
  ): Promise<T>;
}

/** Shared by all queries of a session. */
export interface Surroundings {
  readonly executor: DrizzleExecutor;
  readonly logger: Logger;
  /** Null if the database has no cache. */
  readonly cache: SessionCache | null;
}

type Mapper = (rows: unknown[][]) => unknown;
type Metadata = { type: "select" | "update" | "delete" | "insert"; tables: string[] };

/** Parts of drizzle-orm that its own drivers use, and that its types leave out. */
interface Internals {
  readonly mapResultRow: (
    fields: SelectedFieldsOrdered,
    row: unknown[],
    joinsNotNullableMap: Record<string, boolean> | undefined,
  ) => unknown;
}
interface Preparable {
  readonly _prepare: () => PreparedQuery;
}
const { mapResultRow } = drizzleUtils as unknown as Internals;

interface AsyncConfig extends PreparedQueryConfig {
  type: "async";
  run: RunResult;
}

/** A query, and how its rows become objects. */
export class SqliteAioPreparedQuery<T extends PreparedQueryConfig = AsyncConfig> extends SQLitePreparedQuery<{
  type: "async";
  run: RunResult;
  all: T["all"];
  get: T["get"];
  values: T["values"];
  execute: T["execute"];
}> {
  static override readonly [entityKind]: string = "SqliteAioPreparedQuery";
  /** The base class has both, but its types leave them out. */
  declare joinsNotNullableMap: Record<string, boolean> | undefined;
  declare readonly queryWithCache: <R>(
    sql: string,
    parameters: unknown[],
    work: () => Promise<R>,
  ) => Promise<R>;
  readonly #surroundings: Surroundings;
  readonly #fields: SelectedFieldsOrdered | undefined;
  readonly #method: SQLiteExecuteMethod;
  readonly #mapper: Mapper | undefined;
  readonly #metadata: Metadata | undefined;
  readonly #cacheConfig: WithCacheConfig | undefined;

  constructor(
    surroundings: Surroundings,
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    method: SQLiteExecuteMethod,
    mapper: Mapper | undefined,
    metadata: Metadata | undefined,
    cacheConfig: WithCacheConfig | undefined,
  ) {
    super("async", method, query, surroundings.cache ?? undefined, metadata, cacheConfig);
    this.#surroundings = surroundings;
    this.#fields = fields;
    this.#method = method;
    this.#mapper = mapper;
    this.#metadata = metadata;
    this.#cacheConfig = cacheConfig;
  }

  /** The same query for another session, such as a transaction. */
  within(surroundings: Surroundings, query: Query = this.query): SqliteAioPreparedQuery<T> {
    const moved = new SqliteAioPreparedQuery<T>(
      surroundings,
      query,
      this.#fields,
      this.#method,
      this.#mapper,
      this.#metadata,
      this.#cacheConfig,
    );
    moved.joinsNotNullableMap = this.joinsNotNullableMap;
    return moved;
  }

  run(placeholderValues?: Record<string, unknown>): Promise<RunResult> {
    return this.#perform(placeholderValues, (executor, sql, values) => executor.run(sql, values));
  }

  async all(placeholderValues?: Record<string, unknown>): Promise<T["all"]> {
    if (this.#fields === undefined && this.#mapper === undefined) {
      return this.#perform(placeholderValues, (executor, sql, values) => executor.all(sql, values));
    }
    return this.#mapAll((await this.values(placeholderValues)) as unknown[][]);
  }

  async get(placeholderValues?: Record<string, unknown>): Promise<T["get"]> {
    if (this.#fields === undefined && this.#mapper === undefined) {
      return this.#perform(placeholderValues, (executor, sql, values) => executor.get(sql, values));
    }
    const rows = await this.#perform(placeholderValues, async (executor, sql, values) => {
      return (await executor.execute(sql, values, { firstRow: true })).rows;
    });
    if (rows.length === 0) return undefined;
    return this.#mapper === undefined ? this.#mapAll(rows)[0] : this.#mapper(rows);
  }

  values(placeholderValues?: Record<string, unknown>): Promise<T["values"]> {
    return this.#perform(placeholderValues, async (executor, sql, values) => {
      return (await executor.execute(sql, values)).rows;
    });
  }

  #mapAll(rows: unknown[][]): unknown[] {
    if (this.#mapper !== undefined) return this.#mapper(rows) as unknown[];
    return rows.map((row) => mapResultRow(this.#fields!, row, this.joinsNotNullableMap));
  }

  #perform<R>(
    placeholderValues: Record<string, unknown> | undefined,
    work: (executor: DrizzleExecutor, sql: string, parameters: Parameters) => Promise<R>,
  ): Promise<R> {
    const { executor, logger, cache } = this.#surroundings;
    const { sql, params } = this.query;
    const filled = fillPlaceholders(params, placeholderValues ?? {});
    // A cache is asked first, and given the rows under the same values afterwards.
    const values = cache === null ? filled : kept(sql, filled);
    logger.logQuery(sql, values);
    const perform = (): Promise<R> => work(executor, sql, values as Parameters);
    return this.#cached(sql, values, perform);
  }

  async #cached<R>(sql: string, values: unknown[], work: () => Promise<R>): Promise<R> {
    const { cache } = this.#surroundings;
    if (cache === null) return await this.queryWithCache(sql, values, work);
    const execution = cache.forExecution(this.#metadata?.tables ?? []);
    const query = Object.create(this, { cache: { value: execution } }) as this;
    try {
      return await query.queryWithCache(sql, values, work);
    } finally {
      // Also after an error: the statement may have taken effect.
      if (execution.change !== null) await cache.changed(execution.change);
    }
  }
}

/** Prepares the queries of a database or of one of its transactions. */
export class SqliteAioSession<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends SQLiteSession<"async", RunResult, TFullSchema, TSchema> {
  static override readonly [entityKind]: string = "SqliteAioSession";
  readonly #dialect: SQLiteAsyncDialect;
  readonly #schema: RelationalSchemaConfig<TSchema> | undefined;
  readonly #surroundings: Surroundings;

  constructor(
    dialect: SQLiteAsyncDialect,
    schema: RelationalSchemaConfig<TSchema> | undefined,
    surroundings: Surroundings,
  ) {
    super(dialect);
    this.#dialect = dialect;
    this.#schema = schema;
    this.#surroundings = surroundings;
  }

  prepareQuery<T extends PreparedQueryConfig>(
    query: Query,
    fields: SelectedFieldsOrdered | undefined,
    executeMethod: SQLiteExecuteMethod,
    _isResponseInArrayMode: boolean,
    customResultMapper?: Mapper,
    queryMetadata?: Metadata,
    cacheConfig?: WithCacheConfig,
  ): SqliteAioPreparedQuery<T> {
    return new SqliteAioPreparedQuery<T>(
      this.#surroundings,
      query,
      fields,
      executeMethod,
      customResultMapper,
      queryMetadata,
      cacheConfig,
    );
  }

  /** A transaction of the pool. Inside a transaction, a savepoint. */
  async transaction<T>(
    fn: (tx: SQLiteTransaction<"async", RunResult, TFullSchema, TSchema>) => Promise<T>,
    config?: SQLiteTransactionConfig,
  ): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    return await this.#within(async (session) => {
      const tx = new SqliteAioTransaction("async", this.#dialect, session, this.#schema);
      const { cache } = session.#surroundings;
      tx.$cache = { invalidate: async (change) => cache?.onMutate(change) };
      return fn(tx);
    }, config);
  }

  /** Runs queries in order in one transaction. If one fails, all are rolled back. */
  async batch(queries: readonly BatchItem<"sqlite">[]): Promise<unknown[]> {
    if (!Array.isArray(queries)) throw new TypeError("batch: the queries must be an array");
    const wrong = queries.findIndex((item) => !isQuery(item));
    if (wrong !== -1) throw new TypeError(`batch: item ${wrong} is no query of Drizzle's`);
    // Made now, before the wait for the transaction: the caller may go on using the list, and the memory of values.
    const items = queries.map(batchItem);
    return await this.#within(async (session) => {
      const results: unknown[] = [];
      for (const item of items) results.push(await session.#runItem(item));
      return results;
    });
  }

  #runItem({ prepared, query, method }: PreparedItem): Promise<unknown> {
    if (prepared instanceof SqliteAioPreparedQuery)
      return prepared.within(this.#surroundings, query).execute() as Promise<unknown>;
    return this.prepareQuery(query, undefined, "run", false)[method]();
  }

  async #within<T>(
    work: (session: SqliteAioSession<TFullSchema, TSchema>) => Promise<T>,
    config?: SQLiteTransactionConfig,
  ): Promise<T> {
    const { executor, logger, cache: outer } = this.#surroundings;
    const cache = outer === null ? null : new TransactionCache(outer);
    let worked = false;
    try {
      return await executor.transaction(
        async (tx) => {
          const session = new SqliteAioSession<TFullSchema, TSchema>(this.#dialect, this.#schema, {
            executor: tx,
            logger,
            cache,
          });
          const result = await work(session);
          worked = true;
          return result;
        },
        config?.behavior === undefined ? {} : { mode: config.behavior },
      );
    } finally {
      // Also if the COMMIT failed: if the thread died, it may have taken effect.
      if (worked) await cache?.committed();
    }
  }
}

function isQuery(item: unknown): boolean {
  return typeof (item as Partial<Preparable> | null | undefined)?.["_prepare"] === "function";
}

/** A query of a batch, with its text and its values. */
interface PreparedItem {
  readonly prepared: PreparedQuery;
  readonly query: Query;
  readonly method: SQLiteExecuteMethod | "values";
}

function batchItem(item: BatchItem<"sqlite">): PreparedItem {
  const prepared = (item as unknown as Preparable)["_prepare"]();
  const { method, ...query } = prepared.getQuery() as Query & Pick<PreparedItem, "method">;
  return { prepared, query: { ...query, params: kept(query.sql, query.params) }, method };
}

/** The values as they are now. Wrong ones stay: the call reports them. */
function kept(sql: string, values: unknown[]): unknown[] {
  try {
    return keepParameters(sql, values)() as unknown[];
  } catch {
    return values;
  }
}

class SqliteAioTransaction<
  TFullSchema extends Record<string, unknown>,
  TSchema extends TablesRelationalConfig,
> extends SQLiteTransaction<"async", RunResult, TFullSchema, TSchema> {
  static override readonly [entityKind]: string = "SqliteAioTransaction";
}
