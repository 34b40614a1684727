import { promises as files } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { types } from "node:util";
import { isPrivate, isSharedMemory, Verb } from "@sqlite-aio/worker/wire";
import { OperationalError } from "../errors/errors.js";
import { type CallOptions, checkOptions, checkSignal, integer } from "../options/connect-options.js";
import { isUrl, resolvePath } from "../options/database-path.js";
import { timeoutError } from "../options/deadline.js";
import type { Handle } from "./handle.js";

/** Options of `backup()`. */
export interface BackupOptions extends CallOptions {
  /** Pages copied per step; 0, the default, copies all in one step. */
  pages?: number | undefined;
  /** Called after each step with SQLite's result code, the pages that remain, and the pages in all. */
  progress?: ((status: number, remaining: number, total: number) => void) | null | undefined;
  /** Which database: `"main"`, the default, `"temp"` or the name of an attached one. */
  name?: string | undefined;
  /** Milliseconds to sleep when a step meets a lock. Fails after the connection's `timeout`. Default 250. */
  sleep?: number | undefined;
}

/** A connection to copy into. */
interface Target {
  readonly handle: Handle;
  readonly path: string;
}

const SQLITE_DONE = 101;
const NAMES = ["pages", "progress", "name", "sleep", "signal", "timeout"];

/** Options of `backup()`, checked and complete. */
export interface BackupSettings {
  readonly pages: number;
  readonly progress: ((status: number, remaining: number, total: number) => void) | null;
  readonly name: string;
  readonly sleep: number;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
}

/** The path of a file to copy into. Throws TypeError. */
export function backupPath(target: unknown): string {
  if (typeof target === "string" || isUrl(target) || types.isUint8Array(target)) {
    const path = resolvePath(target);
    if (!isPrivate(path)) return path;
  }
  throw new TypeError("backup: the target must be a path, a file: URL, a Buffer or a Connection");
}

/** Copies the handle's database into a file, or into another connection. */
export async function backUp(source: Handle, target: Target | string, options: BackupOptions): Promise<void> {
  const settings = checkBackup(options);
  settings.signal?.throwIfAborted();
  if (typeof target === "string") {
    await barrier(source);
    await copy(source, target, settings);
    return;
  }
  // Queue on both connections in this tick. If two connections back up into each other, neither waits for the other.
  const before = barrier(source);
  before.catch(() => {});
  const lane = await target.handle.lease(undefined);
  try {
    await before;
    const inner = target.handle.within(lane, true);
    await barrier(inner);
    if (inner.channel.inTransaction) throw new OperationalError("target is in transaction");
    if (isPrivate(target.path) || isSharedMemory(target.path)) await copyIntoMemory(source, inner, settings);
    else await copy(source, target.path, settings);
  } finally {
    lane.end();
  }
}

/** The engine backs up only into a file, so an in-memory target is given the bytes of a temporary file. */
async function copyIntoMemory(source: Handle, target: Handle, settings: BackupSettings): Promise<void> {
  const folder = await files.mkdtemp(join(resolve(tmpdir()), "sqlite-aio-"));
  try {
    const file = join(folder, "backup.db");
    await copy(source, file, settings);
    const image = new Uint8Array(await files.readFile(file));
    await target.channel.replace(image);
  } finally {
    await files.rm(folder, { recursive: true, force: true });
  }
}

async function copy(source: Handle, path: string, settings: BackupSettings): Promise<void> {
  const { channel } = source;
  const { pages, name, sleep, progress, signal, timeout } = settings;
  const expiry = timeout > 0 ? performance.now() + timeout : Number.POSITIVE_INFINITY;
  const thrown: unknown[] = [];
  const afterStep = (status: number, remaining: number, total: number): null => {
    try {
      progress?.(status, remaining, total);
      if (status !== SQLITE_DONE) {
        signal?.throwIfAborted();
        if (performance.now() > expiry) throw timeoutError(timeout, undefined);
      }
    } catch (error) {
      thrown.push(error);
      throw error;
    }
    return null;
  };
  const watched = progress !== null || signal !== undefined || timeout > 0;
  const report = watched ? channel.closures.add(afterStep) : 0;
  try {
    await channel.backup({ path, name, pages, progress: report, sleep });
  } catch (error) {
    throw thrown.length > 0 ? thrown[0] : error;
  } finally {
    channel.closures.delete(report);
  }
}

async function barrier(handle: Handle): Promise<void> {
  await handle.perform(handle.control(Verb.BARRIER));
}

/** The name of a database of the connection. Throws TypeError. */
export function databaseName(name: unknown = "main"): string {
  if (typeof name !== "string" || name === "" || name.includes("\0"))
    throw new TypeError('option "name" must be the name of a database');
  return name;
}

/** Throws TypeError or RangeError. */
export function checkBackup(options: BackupOptions): BackupSettings {
  const { progress = null } = checkOptions(options, NAMES);
  if (progress !== null && typeof progress !== "function")
    throw new TypeError("progress argument must be a function");
  return {
    pages: integer(options.pages, "pages", 0, -1),
    progress,
    name: databaseName(options.name),
    sleep: integer(options.sleep, "sleep", 250, 0),
    signal: checkSignal(options.signal),
    timeout: integer(options.timeout, "timeout", 0, 0),
  };
}
