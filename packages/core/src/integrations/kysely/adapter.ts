import { type Kysely, sql, SqliteAdapter } from "kysely";
import { connect } from "../../connection/connect.js";
import type { Connection } from "../../connection/connection.js";
import { OperationalError } from "../../errors/errors.js";
import { integer } from "../../options/connect-options.js";

/** Ends a migration's turn. */
type Release = () => Promise<void>;

/** How Kysely is told what SQLite can do, and its migrations' lock. */
export class SqliteAioAdapter extends SqliteAdapter {
  readonly #transactionalDdl: boolean;
  readonly #timeout: number;
  readonly #held = new WeakMap<object, Release>();
  /** How many have their turn or wait for it. */
  #turns = 0;
  /** Ends with the last of them. */
  #turn: Promise<void> = Promise.resolve();

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

  /**
   * Locks a small database beside the migrated one: SQLite's own lock, so that it holds across processes and ends with
   * the process that has it, and that statements outside a transaction can be run meanwhile.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  override async acquireMigrationLock(db: Kysely<any>): Promise<void> {
    const { rows } = await sql<{
      file: string;
    }>`SELECT file FROM pragma_database_list WHERE name = 'main'`.execute(db);
    const { file } = rows[0]!;
    // Whoever has the lock may need the writer that this transaction holds.
    const timeout = db.isTransaction ? 0 : this.#timeout;
    const taking = file === "" ? this.#takeTurn(!db.isTransaction) : lock(`${file}-kysely-lock`, timeout);
    this.#held.set(db, await taking);
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as Kysely declares it
  override async releaseMigrationLock(db: Kysely<any>): Promise<void> {
    const release = this.#held.get(db);
    this.#held.delete(db);
    await release?.();
  }

  /** A database in memory has no other process; its migrations go one after the other. */
  async #takeTurn(waits: boolean): Promise<Release> {
    if (!waits && this.#turns > 0) {
      throw new OperationalError(
        "another migration is running, which may need this transaction's connection",
        { code: "SQLITE_BUSY" },
      );
    }
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    this.#turns++;
    await before;
    return async () => {
      this.#turns--;
      resolve();
    };
  }
}

async function lock(path: string, timeout: number): Promise<Release> {
  let connection: Connection | null = null;
  try {
    connection = await connect(path, { timeout, isolationLevel: null });
    await connection.execute("BEGIN EXCLUSIVE");
    return () => connection!.close();
  } catch (error) {
    await connection?.close();
    if (!(error instanceof OperationalError) || !error.code.startsWith("SQLITE_BUSY")) throw error;
    throw new OperationalError(`another migration holds the lock ${path} for more than ${timeout} ms`, {
      code: error.code,
      cause: error,
    });
  }
}
