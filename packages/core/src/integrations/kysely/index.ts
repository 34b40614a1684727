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
import { SqliteAioAdapter } from "./adapter.js";
import type { KyselyPool } from "./connection.js";
import { SqliteAioDriver } from "./driver.js";

export type { KyselyPool } from "./connection.js";

/** What {@link SqliteAioDialect} is made of. */
export interface SqliteAioDialectConfig {
  /** The pool, or what opens it at the first query. `destroy()` of Kysely closes it. */
  pool: KyselyPool | (() => Promise<KyselyPool>);
  /**
   * Run all pending migrations in one transaction, so that a failing one undoes them all. Default false, as in Kysely's
   * own SQLite dialect: `PRAGMA foreign_keys` does nothing inside a transaction.
   */
  transactionalDdl?: boolean | undefined;
  /** Milliseconds that a migration waits for one of another process. Default 3600000. */
  migrationLockTimeout?: number | undefined;
}

/**
 * Kysely over a pool: reads side by side, writes on the writer, a transaction alone on its connection.
 *
 * @example
 * const db = new Kysely<Database>({ dialect: new SqliteAioDialect({ pool: () => createPool("app.db") }) });
 */
export class SqliteAioDialect implements Dialect {
  readonly #config: SqliteAioDialectConfig;

  constructor(config: SqliteAioDialectConfig) {
    const pool: unknown = (config as SqliteAioDialectConfig | undefined)?.pool;
    if (typeof pool !== "function" && (typeof pool !== "object" || pool === null)) {
      throw new TypeError('option "pool" must be a pool or a function that opens one');
    }
    this.#config = { ...config };
  }

  /** What gives Kysely its connections. */
  createDriver(): SqliteAioDriver {
    return new SqliteAioDriver(this.#config.pool);
  }

  /** What tells Kysely of SQLite, and locks its migrations. */
  createAdapter(): SqliteAioAdapter {
    return new SqliteAioAdapter(this.#config);
  }

  /** What makes SQL of queries: Kysely's own for SQLite. */
  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }

  /** What tells of tables and columns: Kysely's own for SQLite. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}
