import { setTimeout as sleep } from "node:timers/promises";
import { type MigrationConfig, type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";
import { factsOf, quoteName, splitScript, switchedTo } from "@sqlite-aio/worker/sql";
import type { Parameters } from "../../values/bind.js";
import type { DrizzleExecutor } from "./session.js";
import { IntegrityError } from "../../errors/errors.js";
import { isBusy } from "../../errors/is-busy.js";
import { integer } from "../../options/connect-options.js";

/** What the driver uses of a pool. */
export interface DrizzlePool extends DrizzleExecutor {
  /** A connection to oneself, until it is closed. */
  acquire(options: { mode: "write" }): Promise<DrizzleLease>;
}

/** What the migrator uses of a connection that the pool lends. */
export interface DrizzleLease {
  /** The migrator sets null: it begins transactions itself. */
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  /** The migrator sets null: rows are arrays. */
  rowFactory: unknown;
  /** Runs a statement and gives its rows. */
  executeFetchall<R>(sql: string, parameters?: Parameters): Promise<R[]>;
  /** Runs several statements. */
  executescript(sql: string): Promise<unknown>;
  /** Commits when `fn` returns, rolls back when it throws. */
  transaction<T>(fn: (tx: DrizzleLease) => Promise<T>, options: { mode: "immediate" }): Promise<T>;
  /** Gives the connection back. */
  close(): Promise<void>;
}

/** Options of {@link migrate}. */
export interface MigrateConfig extends MigrationConfig {
  /** Milliseconds to wait for another process that migrates or writes. Default 3600000. */
  lockTimeout?: number | undefined;
}

/** Milliseconds between two attempts to get the lock of another process, beside SQLite's own waiting. */
const RETRY_MS = 50;

/**
 * Runs the migrations of a folder that were not run yet, all in one transaction: a failing one undoes them all, and of
 * several processes one at a time migrates. Files that say `PRAGMA foreign_keys=OFF` get what they ask for.
 *
 * @example
 * await migrate(db, { migrationsFolder: "./drizzle" });
 */
export async function migrate(db: { readonly $client: DrizzlePool }, config: MigrateConfig): Promise<void> {
  const migrations = readMigrationFiles(config);
  const table = quoteName(config.migrationsTable ?? "__drizzle_migrations");
  const deadline = performance.now() + integer(config.lockTimeout, "lockTimeout", 3_600_000, 0);
  for (;;) {
    const lease = await db.$client.acquire({ mode: "write" });
    try {
      lease.isolationLevel = null;
      lease.rowFactory = null;
      await migrateOn(lease, table, migrations);
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    } finally {
      await lease.close();
    }
    await sleep(RETRY_MS);
  }
}

async function migrateOn(lease: DrizzleLease, table: string, migrations: MigrationMeta[]): Promise<void> {
  await lease.executeFetchall(`
    CREATE TABLE IF NOT EXISTS ${table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`);
  const waiting = pending(migrations, await lastOf(lease, table));
  if (waiting.length === 0) return;
  // Inside a transaction the pragma does nothing, and DROP TABLE would then delete what refers to the table.
  const unchecked = waiting.some(({ sql }) => sql.some(turnsForeignKeysOff));
  if (unchecked) await lease.executeFetchall("PRAGMA foreign_keys = OFF");
  await lease.transaction(
    async (tx) => {
      const before = unchecked ? await violations(tx) : new Set<string>();
      // Another process may have run some meanwhile.
      for (const { sql, hash, folderMillis } of pending(migrations, await lastOf(tx, table))) {
        for (const text of sql) await tx.executescript(withoutForeignKeys(text));
        await tx.executeFetchall(`INSERT INTO ${table} (hash, created_at) VALUES (?, ?)`, [
          hash,
          folderMillis,
        ]);
      }
      if (unchecked) refuseNew(before, await violations(tx));
    },
    { mode: "immediate" },
  );
}

function turnsForeignKeysOff(script: string): boolean {
  return (
    /foreign_keys/i.test(script) &&
    [...splitScript(script)].some((sql) => {
      const { setsForeignKeys, pragma } = factsOf(sql);
      return setsForeignKeys && switchedTo(pragma!.value!) === false;
    })
  );
}

/** Without the settings of the pragma, which are refused inside a transaction, where they have no effect. */
function withoutForeignKeys(script: string): string {
  if (!/foreign_keys/i.test(script)) return script;
  return [...splitScript(script)].filter((sql) => !factsOf(sql).setsForeignKeys).join("\n");
}

function pending(migrations: MigrationMeta[], last: number): MigrationMeta[] {
  return migrations.filter(({ folderMillis }) => folderMillis > last);
}

async function lastOf(lease: DrizzleLease, table: string): Promise<number> {
  const rows = await lease.executeFetchall<[unknown]>(
    `SELECT created_at FROM ${table} ORDER BY created_at DESC LIMIT 1`,
  );
  return rows[0] === undefined ? Number.NEGATIVE_INFINITY : Number(rows[0][0]);
}

async function violations(lease: DrizzleLease): Promise<Set<string>> {
  const rows = await lease.executeFetchall<unknown[]>("PRAGMA foreign_key_check");
  return new Set(
    rows.map(
      ([table, rowid, parent]) =>
        `row ${String(rowid)} of ${String(table)} refers to no row of ${String(parent)}`,
    ),
  );
}

function refuseNew(before: Set<string>, after: Set<string>): void {
  const added = [...after].filter((violation) => !before.has(violation));
  if (added.length === 0) return;
  throw new IntegrityError(
    `the migrations break ${added.length} foreign keys: ${added.slice(0, 3).join("; ")}`,
    {
      code: "SQLITE_CONSTRAINT_FOREIGNKEY",
    },
  );
}
