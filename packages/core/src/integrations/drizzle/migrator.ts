import { setTimeout as sleep } from "node:timers/promises";
import { type MigrationConfig, type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";
import { factsOf, quoteName, splitScript, switchedTo } from "@sqlite-aio/worker/sql";
import type { Parameters } from "../../values/bind.js";
import type { DrizzleExecutor } from "./session.js";
import { IntegrityError } from "../../errors/errors.js";
import { isBusy } from "../../errors/is-busy.js";
import { integer, requireObject } from "../../options/connect-options.js";
import { isPool } from "../session-pool.js";

/** The part of a pool that the driver uses. */
export interface DrizzlePool extends DrizzleExecutor {
  /** Exclusive use of a connection until it is closed. */
  acquire(options: { mode: "write" }): Promise<DrizzleLease>;
}

/** The part of a leased connection that the migrator uses. */
export interface DrizzleLease {
  /** The migrator sets null: it begins transactions itself. */
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  /** The migrator sets null: rows are arrays. */
  rowFactory: unknown;
  /** Runs a statement and returns its rows. */
  executeFetchall<R>(sql: string, parameters?: Parameters): Promise<R[]>;
  /** Runs several statements. */
  executescript(sql: string): Promise<unknown>;
  /** Commits when `fn` returns, rolls back when it throws. */
  transaction<T>(fn: (tx: DrizzleLease) => Promise<T>, options: { mode: "immediate" }): Promise<T>;
  /** Ends the lease. */
  close(): Promise<void>;
}

/** Options of {@link migrate}. */
export interface MigrateConfig extends MigrationConfig {
  /** Milliseconds to wait while another process migrates or writes. Default 3600000. */
  lockTimeout?: number | undefined;
}

/** Milliseconds between two attempts, if another process still has the lock after SQLite's own wait. */
const RETRY_MS = 50;

/**
 * Runs the pending migrations of a folder in one transaction: if one fails, all are rolled back. If several processes
 * migrate, they run one after the other. `PRAGMA foreign_keys=OFF` in a file has its effect.
 *
 * @example
 * await migrate(db, { migrationsFolder: "./drizzle" });
 */
export async function migrate(db: { readonly $client: DrizzlePool }, config: MigrateConfig): Promise<void> {
  if (!isPool((db as { $client?: unknown } | null | undefined)?.$client))
    throw new TypeError("migrate: the first argument must be a database of drizzle()");
  requireObject(config);
  const table = quoteName(filled(config.migrationsTable ?? "__drizzle_migrations", "migrationsTable"));
  const deadline = performance.now() + integer(config.lockTimeout, "lockTimeout", 3_600_000, 0);
  filled(config.migrationsFolder, "migrationsFolder");
  const migrations = readMigrationFiles(config);
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

function filled(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "")
    throw new TypeError(`option "${name}" must be a string that is not empty`);
  return value;
}

async function migrateOn(lease: DrizzleLease, table: string, migrations: MigrationMeta[]): Promise<void> {
  await lease.executeFetchall(`
    CREATE TABLE IF NOT EXISTS ${table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`);
  const waiting = pending(migrations, await lastOf(lease, table));
  if (waiting.length === 0) return;
  // Inside a transaction the pragma has no effect, and DROP TABLE would delete the rows that refer to the table.
  const unchecked = waiting.some(({ sql }) => sql.some(turnsForeignKeysOff));
  if (unchecked) await lease.executeFetchall("PRAGMA foreign_keys = OFF");
  await lease.transaction(
    async (tx) => {
      const before = unchecked ? await violations(tx) : new Set<string>();
      // Another process may have run some of them in the meantime.
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

/** The script without `PRAGMA foreign_keys = ...`. Inside a transaction the pragma has no effect and is refused. */
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
