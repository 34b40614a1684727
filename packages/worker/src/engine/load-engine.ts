import { fileURLToPath } from "node:url";
import { requireHere } from "./here.js";
import { adaptLibsql, isLibsql } from "./libsql.js";
import type { SqlValue } from "../wire/protocol.js";

/** The part of better-sqlite3's Statement that is used here. */
export interface EngineStatement {
  readonly reader: boolean;
  readonly readonly: boolean;
  raw(toggle?: boolean): this;
  pluck(toggle?: boolean): this;
  safeIntegers(toggle?: boolean): this;
  bind(...args: unknown[]): this;
  all(...args: unknown[]): SqlValue[][];
  get(...args: unknown[]): unknown;
  run(...args: unknown[]): { changes: number; lastInsertRowid: number | bigint };
  iterate(...args: unknown[]): IterableIterator<SqlValue[]>;
  /** The text with its bound parameters filled in. */
  toString(): string;
  columns(): { name: string; type: string | null }[];
}

/** The part of better-sqlite3's Database that is used here. */
export interface EngineDatabase {
  readonly inTransaction: boolean;
  readonly memory: boolean;
  readonly open: boolean;
  /** False where the contents of a database in memory cannot be had. */
  readonly serializes?: boolean;
  prepare(sql: string): EngineStatement;
  exec(sql: string): this;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  function(name: string, options: object, fn: (...args: never[]) => unknown): this;
  loadExtension(path: string, entryPoint?: string): this;
  backup(
    path: string,
    options: { attached: string; progress(info: { totalPages: number; remainingPages: number }): number },
  ): Promise<{ totalPages: number; remainingPages: number }>;
  serialize(): Buffer;
  unsafeMode(on: boolean): this;
  close(): this;
}

export type EngineConstructor = new (
  path: string | Buffer,
  options: { readonly: boolean; fileMustExist: boolean; timeout: number },
) => EngineDatabase;

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
