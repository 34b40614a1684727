/**
 * A driver adapter for Prisma over a pool.
 *
 * @module @sqlite-aio/core/prisma
 */
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from "@prisma/driver-adapter-utils";
import { isCluster } from "../../pool/cluster/settings.js";
import { type PoolOptions, resolvePoolOptions } from "../../pool/options.js";
import { createPool } from "../../pool/create-pool.js";
import { checkOptions, oneOf } from "../../options/connect-options.js";
import { hasMethods } from "../session-pool.js";
import { PrismaAdapter } from "./adapter.js";
import { ADAPTER } from "./adapter-name.js";
import type { TimestampFormat } from "./arguments.js";
import { databaseOf } from "./database-url.js";
import { mapped } from "./mapped-error.js";
import type { PrismaPool } from "./prisma-pool.js";

export type { PrismaExecutor, PrismaPool, PrismaResult } from "./prisma-pool.js";
export type { TimestampFormat } from "./arguments.js";

/** Options for a pool that the adapter opens and closes: the database, and the options of {@link createPool}. */
export interface PrismaDatabase extends PoolOptions {
  /** A path, with or without `file:` before it, or `:memory:`. */
  url: string | URL;
}

/** A pool that is used elsewhere too: `$disconnect()` leaves it open. */
export interface PrismaGivenPool {
  /** The pool. */
  pool: PrismaPool;
}

/** Options of {@link PrismaSqliteAio}, as in @prisma/adapter-better-sqlite3. */
export interface PrismaSqliteAioOptions {
  /** How a DateTime is stored: as text, such as `2026-01-31T12:00:00.000+00:00`, or as milliseconds since 1970. Default `"iso8601"`. */
  timestampFormat?: TimestampFormat | undefined;
  /** The database in which migrations are tried. Its contents are lost. Default `":memory:"`. */
  shadowDatabaseUrl?: string | URL | undefined;
}

/**
 * Prisma over a pool: reads run in parallel, writes run on the writer, and reads do not wait for another caller's
 * transaction. Throws TypeError or RangeError for invalid options.
 *
 * @example
 * const prisma = new PrismaClient({ adapter: new PrismaSqliteAio({ url: "file:./app.db" }) });
 */
export class PrismaSqliteAio implements SqlMigrationAwareDriverAdapterFactory {
  /** The dialect in which Prisma writes SQL. */
  readonly provider = "sqlite";
  /** The adapter's name in Prisma's messages. */
  readonly adapterName = ADAPTER;
  readonly #open: () => Promise<PrismaPool>;
  readonly #openShadow: () => Promise<PrismaPool>;
  readonly #given: boolean;
  readonly #format: TimestampFormat;

  constructor(source: PrismaDatabase | PrismaGivenPool, options: PrismaSqliteAioOptions = {}) {
    const { timestampFormat, shadowDatabaseUrl } = checkOptions(options, [
      "timestampFormat",
      "shadowDatabaseUrl",
    ]);
    this.#format = oneOf(timestampFormat, "timestampFormat", "iso8601", ["iso8601", "unixepoch-ms"]);
    const shadow = databaseOf(shadowDatabaseUrl ?? ":memory:", "shadowDatabaseUrl");
    if (typeof source !== "object" || source === null) {
      throw new TypeError("PrismaSqliteAio: the first argument must be { url } or { pool }");
    }
    this.#given = "pool" in source;
    if ("pool" in source) {
      const { pool } = checkOptions(source, ["pool"]);
      checkPool(pool);
      this.#open = async () => pool;
      this.#openShadow = () => createPool(shadow);
    } else {
      const { url, ...poolOptions } = source;
      const database = databaseOf(url, "url");
      if (!isCluster(database, poolOptions)) resolvePoolOptions(database, poolOptions);
      this.#open = () => createPool(database, poolOptions);
      this.#openShadow = () => createPool(shadow, poolOptions);
    }
  }

  /**
   * Opens the database, or uses the pool that was given. Prisma calls it before the first query, and again after
   * `$disconnect()`.
   */
  async connect(): Promise<SqlDriverAdapter> {
    return await this.#adapter(this.#open, !this.#given);
  }

  /** Opens the database in which migrations are tried. */
  async connectToShadowDb(): Promise<SqlDriverAdapter> {
    return await this.#adapter(this.#openShadow, true);
  }

  async #adapter(open: () => Promise<PrismaPool>, owned: boolean): Promise<SqlDriverAdapter> {
    try {
      return await PrismaAdapter.over(await open(), { owned, format: this.#format });
    } catch (error) {
      throw mapped(error);
    }
  }
}

function checkPool(pool: unknown): asserts pool is PrismaPool {
  if (!hasMethods(pool, ["execute", "run", "exec", "transaction", "acquire", "close"])) {
    throw new TypeError('PrismaSqliteAio: "pool" must be a pool of createPool()');
  }
}
