import { type Kysely, sql, SqliteAdapter } from "kysely";
import type { KyselyConnection } from "./connection.js";
import { integer } from "../../options/connect-options.js";
import { MigrationLock, type Release } from "../migration-lock.js";

/** Tells Kysely what SQLite can do, and locks its migrations. */
export class SqliteAioAdapter extends SqliteAdapter {
  readonly #transactionalDdl: boolean;
  readonly #timeout: number;
  readonly #held = new WeakMap<object, Release>();
  readonly #inMemory = MigrationLock.inMemory();

  constructor(config: { transactionalDdl?: boolean | undefined; migrationLockTimeout?: number | undefined }) {
    super();
    this.#transactionalDdl = config.transactionalDdl === true;
    this.#timeout = integer(config.migrationLockTimeout, "migrationLockTimeout", 3_600_000, 0);
  }

  override get supportsMultipleConnections(): boolean {
    return true;
  }

  override get supportsTransactionalDdl(): boolean {
    return this.#transactionalDdl;
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  override async acquireMigrationLock(db: Kysely<any>): Promise<void> {
    const pool = await db
      .getExecutor()
      .provideConnection(async (connection) => (connection as KyselyConnection).pool);
    if (pool.lockMigrations !== undefined) {
      this.#held.set(db, await pool.lockMigrations(db.isTransaction ? 0 : this.#timeout));
      return;
    }
    const { rows } = await sql<{
      file: string;
    }>`SELECT file FROM pragma_database_list WHERE name = 'main'`.execute(db);
    const { file } = rows[0]!;
    // Inside a transaction it must not wait: the holder of the lock may need the writer that the transaction holds.
    const timeout = db.isTransaction ? 0 : this.#timeout;
    const lock = file === "" ? this.#inMemory : MigrationLock.beside(file, "kysely");
    this.#held.set(db, await lock.take(timeout));
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  override async releaseMigrationLock(db: Kysely<any>): Promise<void> {
    const release = this.#held.get(db);
    this.#held.delete(db);
    await release?.();
  }
}
