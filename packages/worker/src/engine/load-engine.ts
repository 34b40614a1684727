import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { requireHere } from "./here.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { messageOf } from "../wire/thrown.js";
import { adaptLibsql, isLibsql } from "./libsql.js";
import { type EngineConstructor, type EngineDatabase, prepareOwn } from "./engine-api.js";
import type { EngineCopy } from "../wire/thread-api.js";

/** Loads a module with better-sqlite3's API. The module is the class, or exports it as default or as `Database`. */
export async function loadEngine(specifier: string): Promise<EngineConstructor> {
  const module = (await loadModule(specifier).catch((error: unknown) => {
    throw engineMissing(specifier, error);
  })) as { default?: unknown; Database?: unknown };
  const candidates = [
    module,
    module.default,
    (module.default as { default?: unknown } | undefined)?.default,
    module.Database,
  ];
  const Database = candidates.find((candidate) => typeof candidate === "function");
  if (Database === undefined) throw new TypeError(`the engine "${specifier}" exports no Database class`);
  return isLibsql(Database) ? adaptLibsql(Database) : (Database as EngineConstructor);
}

/**
 * Results for earlier connections. An engine that is loaded already adds no file to the cache, so its file could not be
 * found again.
 */
const known = new Map<string, EngineCopy>();

/** Identifies the copy of an engine. Two copies of one engine see each other's locks as little as two engines. */
export async function engineCopy(specifier: string): Promise<EngineCopy> {
  const copy = known.get(specifier) ?? (await findCopy(specifier));
  known.set(specifier, copy);
  return copy;
}

async function findCopy(specifier: string): Promise<EngineCopy> {
  const before = new Set(Object.keys(requireHere.cache));
  const Database = await loadEngine(specifier);
  // Some engines load their native code with the first handle.
  try {
    new Database(":memory:", { readonly: false, fileMustExist: false, timeout: 0 }).close();
  } catch (error) {
    throw isMissing(error) ? engineMissing(specifier, error) : error;
  }
  const file = Object.keys(requireHere.cache).find((name) => name.endsWith(".node") && !before.has(name));
  if (file === undefined) return { file: specifier, id: specifier };
  // Package managers create several links to one file. The system loads such a file once, so it is one copy.
  const { dev, ino } = statSync(file, { bigint: true });
  return { file, id: `${dev}:${ino}` };
}

const versions = new WeakMap<object, string>();

/** SQLite's version in the engine of a handle. */
export function versionOf(db: EngineDatabase): string {
  const found = versions.get(db.constructor);
  if (found !== undefined) return found;
  const version = String(prepareOwn(db, "SELECT sqlite_version()").pluck().get());
  versions.set(db.constructor, version);
  return version;
}

const NOT_FOUND = new Set(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"]);

function isMissing(error: unknown): boolean {
  return NOT_FOUND.has(codeOf(error)) || /bindings file|native binding/i.test(messageOf(error));
}

function engineMissing(specifier: string, error: unknown): unknown {
  const message = messageOf(error);
  const absent = codeOf(error).endsWith("MODULE_NOT_FOUND") && message.includes(specifier);
  const isName = !/^(?:file:|[./])/.test(specifier);
  const what = absent
    ? `the engine "${specifier}" is not installed: ${isName ? `npm install ${specifier}` : "give its module or its file as the option engine"}`
    : `the engine "${specifier}" does not load (${message.split(/\r?\n/, 1)[0]}): install it again on this system, with the Node that runs it`;
  return new UsageError("ENGINE_MISSING", what);
}

/** Engines are CommonJS. In an Electron archive `require()` may find a module that `import()` does not. */
async function loadModule(specifier: string): Promise<unknown> {
  try {
    return requireHere(specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier);
  } catch {
    // import()'s error has more information.
    return (await import(/* webpackIgnore: true */ specifier)) as unknown;
  }
}
