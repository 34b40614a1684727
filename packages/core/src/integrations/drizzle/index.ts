/**
 * A driver for Drizzle over a pool.
 *
 * @module @sqlite-aio/core/drizzle
 */
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
import { oneOf, requireObject } from "../../options/connect-options.js";
import { hasMethods, isPool } from "../session-pool.js";
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
    checkConfig(config);
    const casing = config.casing ?? undefined;
    const dialect = new SQLiteAsyncDialect(casing === undefined ? {} : { casing });
    const schema = schemaOf(config.schema ?? undefined);
    const given = config.cache ?? undefined;
    const cache = given === undefined || is(given, NoopCache) ? null : new DatabaseCache(given);
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

/**
 * Refuses what could never work. Names that Drizzle does not know are ignored, and null stands for nothing, as in its
 * own drivers.
 */
function checkConfig(config: DrizzleConfig<Record<string, unknown>>): void {
  requireObject(config);
  const { casing, schema, logger, cache } = config;
  oneOf(casing ?? undefined, "casing", "snake_case", ["snake_case", "camelCase"]);
  if (typeof (schema ?? {}) !== "object") throw new TypeError('option "schema" must be an object');
  if (typeof (logger ?? false) !== "boolean" && !hasMethods(logger, ["logQuery"]))
    throw new TypeError('option "logger" must be a boolean or a logger');
  if (!hasMethods(cache ?? NOTHING_KEPT, ["strategy", "get", "put", "onMutate"]))
    throw new TypeError('option "cache" must be a cache of drizzle-orm/cache/core');
}

const NOTHING_KEPT = new NoopCache();

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
  return logger || new NoopLogger();
}
