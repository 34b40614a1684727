import type { Driver } from "./driver.ts";
import { bareWorker } from "./drivers/bare-worker.ts";
import { betterSqlite3 } from "./drivers/better-sqlite3.ts";
import { betterSqlite3Pool } from "./drivers/better-sqlite3-pool.ts";
import { comlink } from "./drivers/comlink.ts";
import { frames } from "./drivers/frames.ts";
import { libsql } from "./drivers/libsql.ts";
import { nodeFiles } from "./drivers/node-files.ts";
import { nodeSqlite } from "./drivers/node-sqlite.ts";
import { sqliteAioConnection, sqliteAioPool } from "./drivers/sqlite-aio.ts";
import { prismaBetterSqlite3, sqliteAioPrisma } from "./drivers/prisma.ts";
import { sqlite3, sqlite3Pooled, sqliteAioSqlite3 } from "./drivers/sqlite3.ts";
import { turso } from "./drivers/turso.ts";

/** In the order of the tables and charts. */
export const DRIVERS: readonly Driver[] = [
  sqliteAioConnection,
  sqliteAioPool,
  betterSqlite3,
  nodeSqlite,
  libsql,
  turso,
  sqliteAioSqlite3,
  sqlite3,
  sqlite3Pooled,
  betterSqlite3Pool,
  comlink,
  sqliteAioPrisma,
  prismaBetterSqlite3,
  frames,
  bareWorker,
  nodeFiles,
];

export function driverNamed(name: string): Driver {
  const driver = DRIVERS.find((candidate) => candidate.name === name);
  if (!driver) throw new Error(`no driver is called ${name}`);
  return driver;
}
