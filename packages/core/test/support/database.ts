import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Connection, type ConnectOptions, type MemoryDatabase } from "@sqlite-aio/core";
import { onTestFinished } from "vitest";

/** The engine itself on this thread, for comparison and as the other connection of a test. */
export interface Engine {
  readonly inTransaction: boolean;
  exec(sql: string): this;
  prepare(sql: string): EngineStatement;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  serialize(): Buffer;
  close(): this;
}

export interface EngineStatement {
  pluck(): this;
  raw(): this;
  safeIntegers(): this;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
  get(...parameters: unknown[]): unknown;
  run(...parameters: unknown[]): { changes: number; lastInsertRowid: number | bigint };
}

// It is the worker package's dependency, not this one's.
const requireFromWorker = createRequire(new URL("../../../worker/package.json", import.meta.url));
const Database = requireFromWorker("better-sqlite3") as new (
  path: string | Buffer,
  options?: { readonly?: boolean; timeout?: number },
) => Engine;

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Whether links can be made here, and lead somewhere. On Windows not every user may make symbolic links, but anybody
 * junctions, which lead to folders. Wine only says that it made them.
 */
export function canLink(type: "file" | "junction"): boolean {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-test-"));
  const link = join(folder, "link");
  try {
    const target = join(folder, "target");
    if (type === "junction") mkdirSync(target);
    else writeFileSync(target, "");
    symlinkSync(target, link, type);
    return realpathSync(link) === realpathSync(target);
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The path of a database file that does not exist yet, in a folder of its own. */
export async function temporaryPath(name = "test.db"): Promise<string> {
  return join(await temporaryFolder(), name);
}

/** A connection, in memory unless told otherwise, that is closed when the test is over. */
export async function open(
  database: string | URL | Buffer | MemoryDatabase = ":memory:",
  options?: ConnectOptions,
): Promise<Connection> {
  const db = await connect(database, options);
  onTestFinished(() => db.close());
  return db;
}

/**
 * better-sqlite3 on this thread, closed when the test is over. It waits a moment for a lock: a thread that looks whether
 * it can have one holds another for that long, which is a while where it has lost its core.
 */
export function openEngine(path: string | Buffer = ":memory:", timeout = 500): Engine {
  const db = new Database(path, { timeout });
  onTestFinished(() => void db.close());
  return db;
}

/** The reason for which a promise, or a call that should return one, is rejected. */
export async function rejection(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return error;
  }
  throw new Error("it was not rejected");
}
