/**
 * A driver for Drizzle over a pool.
 *
 * @module @sqlite-aio/core/drizzle
 */
import { isPool } from "../session-pool.js";
import {
  createTableRelationsHelpers,
  DefaultLogger,
  type DrizzleConfig,
  entityKind,
  extractTablesRelationalConfig,
  type ExtractTablesWithRelations,
  is,
  NoopLogger,
  type RelationalSchemaConfig,
} from "drizzle-orm";
import type { BatchItem, BatchResponse } from "drizzle-orm/batch";
import { NoopCache } from "drizzle-orm/cache/core";
import { BaseSQLiteDatabase, SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { DatabaseCache } from "./cache.js";
import type { DrizzlePool } from "./migrator.js";
import { SqliteAioSession } from "./session.js";
import type { RunResult } from "../../connection/run-result.js";

export { type DrizzleLease, type DrizzlePool, migrate, type MigrateConfig } from "./migrator.js";
export type { DrizzleExecutor } from "./session.js";

/** Drizzle's database over a pool. */
export class SqliteAioDatabase<
  TSchema extends Record<string, unknown> = Record<string, never>,
  TPool extends DrizzlePool = DrizzlePool,
> extends BaseSQLiteDatabase<"async", RunResult, TSchema> {
  /** The name by which Drizzle's `is()` recognizes the class. */
  static override readonly [entityKind]: string = "SqliteAioDatabase";
  /** The pool. */
  readonly $client: TPool;
  readonly #session: SqliteAioSession<TSchema, ExtractTablesWithRelations<TSchema>>;

  /** @internal Use {@link drizzle}. */
  constructor(pool: TPool, config: DrizzleConfig<TSchema>) {
    const dialect = new SQLiteAsyncDialect(config.casing === undefined ? {} : { casing: config.casing });
    const schema = schemaOf(config.schema);
    const cache =
      config.cache === undefined || is(config.cache, NoopCache) ? null : new DatabaseCache(config.cache);
    const session = new SqliteAioSession<TSchema, ExtractTablesWithRelations<TSchema>>(dialect, schema, {
      executor: pool,
      logger: loggerOf(config.logger),
      cache,
    });
    super("async", dialect, session, schema);
    this.$client = pool;
    this.#session = session;
    // Drizzle's types have only `invalidate`, but its own drivers give the whole cache here.
    this.$cache = cache ?? { invalidate: async () => {} };
  }

  /**
   * Runs queries in order in one transaction. If one fails, all are rolled back.
   *
   * @example
   * const [inserted, users] = await db.batch([db.insert(user).values({ name: "Ada" }), db.select().from(user)]);
   */
  batch<U extends BatchItem<"sqlite">, T extends Readonly<[U, ...U[]]>>(
    queries: T,
  ): Promise<BatchResponse<T>> {
    return this.#session.batch(queries) as Promise<BatchResponse<T>>;
  }
}

/**
 * Drizzle over a pool: reads run in parallel, writes run on the writer, and a transaction may await anything.
 *
 * @example
 * const db = drizzle(await createPool("app.db"), { schema });
 * const users = await db.query.user.findMany({ with: { posts: true } });
 */
export function drizzle<
  TSchema extends Record<string, unknown> = Record<string, never>,
  TPool extends DrizzlePool = DrizzlePool,
>(pool: TPool, config: DrizzleConfig<TSchema> = {}): SqliteAioDatabase<TSchema, TPool> {
  if (!isPool(pool)) throw new TypeError("drizzle: the first argument must be a pool");
  return new SqliteAioDatabase(pool, config);
}

function schemaOf<TSchema extends Record<string, unknown>>(
  fullSchema: TSchema | undefined,
): RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>> | undefined {
  if (fullSchema === undefined) return undefined;
  const { tables, tableNamesMap } = extractTablesRelationalConfig<ExtractTablesWithRelations<TSchema>>(
    fullSchema,
    createTableRelationsHelpers,
  );
  return { fullSchema, schema: tables, tableNamesMap };
}

function loggerOf(logger: DrizzleConfig["logger"]) {
  if (logger === true) return new DefaultLogger();
  return logger === undefined || logger === false ? new NoopLogger() : logger;
}
