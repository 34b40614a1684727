import { fileURLToPath } from "node:url";
import { requireHere } from "./here.js";
import { adaptLibsql, isLibsql } from "./libsql.js";
import type { EngineConstructor } from "./engine-api.js";

/** Loads a module with better-sqlite3's API: it is the class, or exports it by default or as `Database`. */
export async function loadEngine(specifier: string): Promise<EngineConstructor> {
  const module = (await loadModule(specifier)) as { default?: unknown; Database?: unknown };
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

/** An engine is CommonJS, and in the archive of an Electron program `import()` may find nothing where `require()` does. */
async function loadModule(specifier: string): Promise<unknown> {
  try {
    return requireHere(specifier.startsWith("file:") ? fileURLToPath(specifier) : specifier);
  } catch {
    // Its error is the one that tells most.
    return (await import(/* webpackIgnore: true */ specifier)) as unknown;
  }
}
