import type { PragmaStatement } from "./pragma.js";

/** Numbers in a database's header. The temp database has them, too. */
const HEADER_PRAGMAS = new Set(["application_id", "schema_version", "user_version"]);

/**
 * Pragmas that ignore a value, or only change the file. All other pragmas with a value change the connection, unless
 * they only read.
 */
const HARMLESS_PRAGMAS = new Set([
  ...HEADER_PRAGMAS,
  "collation_list",
  "compile_options",
  "data_version",
  "database_list",
  "freelist_count",
  "function_list",
  "incremental_vacuum",
  "module_list",
  "optimize",
  "page_count",
  "pragma_list",
  "wal_checkpoint",
]);

/** What a statement leaves behind on its connection. */
export const Taint = {
  NONE: 0,
  /** Perhaps an object in the temp schema; this must be checked. */
  PERHAPS: 1,
  /** A pragma or an attached database. */
  SURE: 2,
  /** A pragma that affects every connection of the process. Reopening this connection does not undo it. */
  PROCESS: 3,
} as const;

/** Settings of the whole SQLite library: https://sqlite.org/pragma.html. */
const PROCESS_PRAGMAS = new Set([
  "data_store_directory",
  "hard_heap_limit",
  "soft_heap_limit",
  "temp_store_directory",
]);

/** Whether a pragma, possibly with a schema before its name, affects the whole process. */
export function holdsForProcess(pragma: string): boolean {
  return PROCESS_PRAGMAS.has(pragma.slice(pragma.indexOf(".") + 1).toLowerCase());
}

/** Settings that are stored in the file, so setting them on one connection has a lasting effect. */
const LASTING_PRAGMAS = new Set(["hexrekey", "journal_mode", "rekey", "textrekey"]);

/**
 * What a statement leaves behind besides its transaction. `keyword` is its first word; `pragma` is null if it is none.
 */
export function taintOf(keyword: string, pragma: PragmaStatement | null): number {
  if (keyword === "ATTACH" || keyword === "DETACH") return Taint.SURE;
  // ANALYZE creates the tables that it writes.
  if (keyword === "CREATE" || keyword === "ALTER" || keyword === "DROP" || keyword === "ANALYZE")
    return Taint.PERHAPS;
  if (pragma === null || pragma.value === null) return Taint.NONE;
  if (PROCESS_PRAGMAS.has(pragma.name)) return Taint.PROCESS;
  // The temp database belongs to the connection, and schema changes there are noticed by this number.
  if (pragma.schema === "temp" && HEADER_PRAGMAS.has(pragma.name)) return Taint.SURE;
  return pragma.asks || HARMLESS_PRAGMAS.has(pragma.name) ? Taint.NONE : Taint.SURE;
}

/** Whether a pragma sets something that is lost with its connection. */
export function setsConnection(pragma: PragmaStatement): boolean {
  return !LASTING_PRAGMAS.has(pragma.name) && taintOf("PRAGMA", pragma) !== Taint.NONE;
}
