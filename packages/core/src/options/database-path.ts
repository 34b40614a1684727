import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { isSharedMemory, memoryName, memoryPath } from "@sqlite-aio/worker/wire";
import { capabilities, needsNative } from "../capabilities.js";

/**
 * An in-memory database with a name. All connections and pools of the process that use the name share it. It is lost
 * when the last of them closes. Needs `@sqlite-aio/native`.
 */
export interface MemoryDatabase {
  /** Not empty, and at most 400 characters after `encodeURIComponent()`. */
  readonly memory: string;
}

/** A path may have 512 bytes, including what is added around the name. */
const MAX_NAME = 400;

/** The path for the engine. Throws TypeError or RangeError. */
export function resolveDatabase(
  database: string | URL | Uint8Array | MemoryDatabase,
  folder?: string,
): string {
  if (!isMemoryDatabase(database)) return resolvePath(database, folder);
  const other = Object.keys(database).find((key) => key !== "memory");
  if (other !== undefined)
    throw new TypeError(`unknown key "${other}" beside "memory": the options are the second argument`);
  const name: unknown = database.memory;
  const what = "the name of a database in memory";
  if (typeof name !== "string") throw new TypeError(`${what} must be a string`);
  if (name === "") throw new RangeError(`${what} is empty`);
  checkName(name, what);
  if (encodeURIComponent(name).length > MAX_NAME)
    throw new RangeError(`${what} is longer than ${MAX_NAME} characters, as encodeURIComponent() writes it`);
  return memoryPath(name);
}

/** Throws NotSupportedError for a shared in-memory database if there can be none. */
export function requireSharedMemory(path: string): void {
  if (isSharedMemory(path) && !capabilities.sharedMemory)
    throw needsNative("a database in memory that connections share");
}

/** A database in messages, traces and `console.log()`: its path, or what the program has written in its place. */
export function shownDatabase(path: string): string {
  return isSharedMemory(path) ? `{ memory: ${JSON.stringify(memoryName(path))} }` : path;
}

function isMemoryDatabase(database: unknown): database is MemoryDatabase {
  return (
    typeof database === "object" &&
    database !== null &&
    "memory" in database &&
    !isUrl(database) &&
    !types.isUint8Array(database)
  );
}

/**
 * The absolute path for the engine: the working directory may have changed when a thread opens or reopens the file. A
 * relative path starts in `folder`. Throws TypeError.
 */
export function resolvePath(database: string | URL | Uint8Array, folder: string = process.cwd()): string {
  const path = isUrl(database)
    ? fileURLToPath(database)
    : types.isUint8Array(database)
      ? new TextDecoder("utf-8", { fatal: true }).decode(database)
      : database;
  if (typeof path !== "string") throw new TypeError("the database must be a path, a file: URL or a Buffer");
  checkName(path, "the database path");
  if (/^file:/i.test(path)) {
    throw new TypeError(
      'the engine knows no "file:" names and would create a file of that name: give a path, a URL object, ":memory:", or { memory: "name" } for a database in memory that several connections share',
    );
  }
  if (path === "" || path === ":memory:") return path;
  if (path.trim() === "") throw new TypeError("the database path is blank");
  return keepBlanks(absolute(path, folder));
}

/** Not by `resolve()`: it takes `link/..` for the folder of the link, but the system follows the link first. */
export function absolute(path: string, folder: string = process.cwd()): string {
  if (process.platform === "win32") return resolve(folder, path);
  return isAbsolute(path) ? path : `${folder}/${path.replace(/^(?:\.\/+)+/, "")}`;
}

/** better-sqlite3 trims the path. As the path is absolute, only its end matters. */
function keepBlanks(path: string): string {
  if (path.trimEnd() !== path)
    throw new TypeError("the engine cannot open a database whose path ends in white space");
  return path;
}

/** Throws if the engine would not get the whole of `text`. */
export function checkName(text: string, what: string): void {
  if (text.includes("\0")) throw new TypeError(`${what} holds a null character`);
  if (!text.isWellFormed()) throw new TypeError(`${what} holds a lone surrogate and has no UTF-8 form`);
}

/** Whether it is a URL object, of any realm: Jest and jsdom have other classes than Node. */
export function isUrl(value: unknown): value is URL {
  if (typeof value !== "object" || value === null) return false;
  const { href, protocol } = value as Partial<URL>;
  return typeof href === "string" && typeof protocol === "string";
}
