/**
 * A dialect for Kysely over a pool.
 *
 * @module @sqlite-aio/core/kysely
 */
import {
  type Dialect,
  type DatabaseIntrospector,
  type Kysely,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { boolean, checkOptions, integer } from "../../options/connect-options.js";
import { isPool } from "../session-pool.js";
import { SqliteAioAdapter } from "./adapter.js";
import type { KyselyPool } from "./connection.js";
import { SqliteAioDriver } from "./driver.js";

export type { KyselyPool } from "./connection.js";

/** Options of {@link SqliteAioDialect}. */
export interface SqliteAioDialectConfig {
  /** The pool, or a function that opens it at the first query. Kysely's `destroy()` closes it. */
  pool: KyselyPool | (() => Promise<KyselyPool>);
  /**
   * Run all pending migrations in one transaction: if one fails, all are rolled back. Default false, as in Kysely's own
   * SQLite dialect, because `PRAGMA foreign_keys` has no effect inside a transaction.
   */
  transactionalDdl?: boolean | undefined;
  /** Milliseconds that a migration waits for the migration of another process. Default 3600000. */
  migrationLockTimeout?: number | undefined;
}

/**
 * Kysely over a pool: reads run in parallel, writes run on the writer, and a transaction has a connection of its own.
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new SqliteAioDialect({ pool: () => createPool("app.db") }) });
 */
export class SqliteAioDialect implements Dialect {
  readonly #config: SqliteAioDialectConfig;

  constructor(config: SqliteAioDialectConfig) {
    const pool: unknown = (config as SqliteAioDialectConfig | undefined)?.pool;
    if (typeof pool !== "function" && !isPool(pool)) {
      throw new TypeError('option "pool" must be a pool or a function that opens one');
    }
    checkOptions(config, ["pool", "transactionalDdl", "migrationLockTimeout"]);
    boolean(config.transactionalDdl, "transactionalDdl");
    integer(config.migrationLockTimeout, "migrationLockTimeout", 0, 0);
    this.#config = { ...config };
  }

  /** Creates the driver, which provides the connections. */
  createDriver(): SqliteAioDriver {
    return new SqliteAioDriver(this.#config.pool);
  }

  /** Creates the adapter, which tells Kysely what SQLite can do and locks its migrations. */
  createAdapter(): SqliteAioAdapter {
    return new SqliteAioAdapter(this.#config);
  }

  /** Creates Kysely's own query compiler for SQLite. */
  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }

  /** Creates Kysely's own introspector for SQLite. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}
