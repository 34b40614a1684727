import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import type * as Native from "../index.cjs";

const require = createRequire(import.meta.url);
const binary = fileURLToPath(new URL("../build/sqlite-aio.node", import.meta.url));
const sources = fileURLToPath(new URL("../src/", import.meta.url));

// Built once per process: a thread must load the same file as the main thread.
if (isMainThread && (!existsSync(binary) || isOlder(binary))) {
  execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/build-host.mjs", import.meta.url))]);
}

function isOlder(file: string): boolean {
  const { mtimeMs } = statSync(file);
  return readdirSync(sources).some((name) => statSync(sources + name).mtimeMs > mtimeMs);
}

/** The part of better-sqlite3 that the tests use. */
export interface Engine {
  readonly inTransaction: boolean;
  loadExtension(path: string): this;
  readonly open: boolean;
  prepare(sql: string): EngineStatement;
  exec(sql: string): this;
  pragma(source: string): unknown;
  function(
    name: string,
    options: { directOnly?: boolean; varargs?: boolean },
    fn: (...args: never[]) => unknown,
  ): this;
  close(): this;
}

export interface EngineStatement {
  pluck(): { get(...parameters: unknown[]): unknown; all(): unknown[] };
  raw(): EngineStatement;
  safeIntegers(on?: boolean): EngineStatement;
  all(...parameters: unknown[]): unknown[][];
  run(...parameters: unknown[]): unknown;
  get(...parameters: unknown[]): unknown;
  columns(): { name: string; type: string | null }[];
}

export const Database = require("better-sqlite3") as new (
  path: string,
  options?: { timeout?: number; nativeBinding?: string },
) => Engine;
// Without a compiler there is no binary, and the tests are skipped.
export const native = (existsSync(binary) ? require("../index.cjs") : {}) as typeof Native;

/** Opens a new database in memory, or the one at `path`, and loads the extension. */
export function open(path = ":memory:"): { db: Engine; token: number } & Disposable {
  const db = new Database(path, { timeout: 0 });
  return { db, token: native.attach(db), [Symbol.dispose]: () => db.close() };
}

/** The code of the error that `fn` throws. */
export function codeOf(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

/** Removes a folder with binaries. On Windows, loaded ones stay until the process ends. */
export function removeUnlessLoaded(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (process.platform !== "win32") throw error;
  }
}
