import type { PragmaStatement } from "./pragma.js";

/** Numbers in the header of a database, which the temporary one has too. */
const HEADER_PRAGMAS = new Set(["application_id", "schema_version", "user_version"]);

/** Pragmas that take no value, or change only the file with it. All others with a value that ask nothing change the connection. */
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
  /** Perhaps an object in the temp schema: to be looked at. */
  PERHAPS: 1,
  /** A pragma or an attached database. */
  SURE: 2,
  /** A pragma that every connection of the process heeds, and that opening this one afresh does not undo. */
  PROCESS: 3,
} as const;

/** Settings of the library, not of a connection: https://sqlite.org/pragma.html. */
const PROCESS_PRAGMAS = new Set([
  "data_store_directory",
  "hard_heap_limit",
  "soft_heap_limit",
  "temp_store_directory",
]);

/** Whether setting the pragma, whose name may come with a schema, holds for the whole process. */
export function holdsForProcess(pragma: string): boolean {
  return PROCESS_PRAGMAS.has(pragma.slice(pragma.indexOf(".") + 1).toLowerCase());
}

/** Settings that the file keeps, so that setting them on one connection is not in vain. */
const LASTING_PRAGMAS = new Set(["hexrekey", "journal_mode", "rekey", "textrekey"]);

/** What a statement that starts with `keyword`, and is `pragma` if it is one, leaves behind beside its transaction. */
export function taintOf(keyword: string, pragma: PragmaStatement | null): number {
  if (keyword === "ATTACH" || keyword === "DETACH") return Taint.SURE;
  if (keyword === "CREATE" || keyword === "ALTER" || keyword === "DROP") return Taint.PERHAPS;
  if (pragma === null || pragma.value === null) return Taint.NONE;
  if (PROCESS_PRAGMAS.has(pragma.name)) return Taint.PROCESS;
  // The temporary database goes with its connection; and a change of its schema is noticed by that number.
  if (pragma.schema === "temp" && HEADER_PRAGMAS.has(pragma.name)) return Taint.SURE;
  return pragma.asks || HARMLESS_PRAGMAS.has(pragma.name) ? Taint.NONE : Taint.SURE;
}

/** Whether a pragma sets what its connection keeps, and what is gone with that. */
export function setsConnection(pragma: PragmaStatement): boolean {
  return !LASTING_PRAGMAS.has(pragma.name) && taintOf("PRAGMA", pragma) !== Taint.NONE;
}
