import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { requireHere } from "./here.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { messageOf } from "../wire/thrown.js";
import { adaptLibsql, isLibsql } from "./libsql.js";
import type { EngineConstructor } from "./engine-api.js";
import type { EngineCopy } from "../wire/thread-api.js";

/** Loads a module with better-sqlite3's API: it is the class, or exports it by default or as `Database`. */
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

/** What was found for connections before: their engine is loaded, and its file no longer shows by that. */
const known = new Map<string, EngineCopy>();

/** A copy of an engine that this process has: two copies of one engine are as strange to each other as two engines. */
export async function engineCopy(specifier: string): Promise<EngineCopy> {
  const copy = known.get(specifier) ?? (await findCopy(specifier));
  known.set(specifier, copy);
  return copy;
}

async function findCopy(specifier: string): Promise<EngineCopy> {
  const before = new Set(Object.keys(requireHere.cache));
  const Database = await loadEngine(specifier);
  // Some load their native code with the first handle.
  try {
    new Database(":memory:", { readonly: false, fileMustExist: false, timeout: 0 }).close();
  } catch (error) {
    throw isMissing(error) ? engineMissing(specifier, error) : error;
  }
  const file = Object.keys(requireHere.cache).find((name) => name.endsWith(".node") && !before.has(name));
  if (file === undefined) return { file: specifier, id: specifier };
  // Two names of one file are one copy, as package managers make them: the system loads it once.
  const { dev, ino } = statSync(file, { bigint: true });
  return { file, id: `${dev}:${ino}` };
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

/** An engine is CommonJS, and in the archive of an Electron program `import()` may find nothing where `require()` does. */
async function loadModule(specifier: string): Promise<unknown> {
  try {
    return requireHere(specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier);
  } catch {
    // Its error is the one that tells most.
    return (await import(/* webpackIgnore: true */ specifier)) as unknown;
  }
}
