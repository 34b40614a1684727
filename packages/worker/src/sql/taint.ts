import { skipBlank, tokenEnd } from "./parameters.js";

/** Numbers in the header of a database, which the temporary one has too. */
const HEADER_PRAGMAS = new Set(["application_id", "schema_version", "user_version"]);

/** Pragmas that tell something, or change only the file. All others with a value change the connection. */
const HARMLESS_PRAGMAS = new Set([
  "application_id",
  "collation_list",
  "compile_options",
  "data_version",
  "database_list",
  "foreign_key_check",
  "foreign_key_list",
  "freelist_count",
  "function_list",
  "incremental_vacuum",
  "index_info",
  "index_list",
  "index_xinfo",
  "integrity_check",
  "module_list",
  "optimize",
  "page_count",
  "pragma_list",
  "quick_check",
  "schema_version",
  "table_info",
  "table_list",
  "table_xinfo",
  "user_version",
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

/** What `sql`, a statement that starts with `keyword`, leaves behind on its connection beside its transaction. */
export function taintOf(keyword: string, sql: string): number {
  if (keyword === "ATTACH" || keyword === "DETACH") return Taint.SURE;
  if (keyword === "CREATE" || keyword === "ALTER" || keyword === "DROP") return Taint.PERHAPS;
  const pragma = pragmaOf(keyword, sql);
  if (pragma === null || !pragma.sets) return Taint.NONE;
  if (PROCESS_PRAGMAS.has(pragma.name)) return Taint.PROCESS;
  // The temporary database goes with its connection; and a change of its schema is noticed by that number.
  if (pragma.schema === "temp" && HEADER_PRAGMAS.has(pragma.name)) return Taint.SURE;
  return HARMLESS_PRAGMAS.has(pragma.name) ? Taint.NONE : Taint.SURE;
}

export type Setting = "ATTACH" | "TEMP" | "PRAGMA";

/** What `sql` sets on its connection and nowhere else: where the connection is opened afresh it has had no effect. */
export function settingOf(keyword: string, sql: string): Setting | null {
  if (keyword === "ATTACH" || keyword === "DETACH") return "ATTACH";
  if (keyword === "CREATE") return createsTemporary(sql) ? "TEMP" : null;
  const pragma = pragmaOf(keyword, sql);
  if (pragma === null || LASTING_PRAGMAS.has(pragma.name)) return null;
  return taintOf(keyword, sql) === Taint.NONE ? null : "PRAGMA";
}

/** Whether a CREATE is of an object in the temporary schema: by the word TEMP, or by the schema before its name. */
function createsTemporary(sql: string): boolean {
  const [, ...words] = wordsOf(sql, 8);
  if (words[0] === "temp" || words[0] === "temporary") return true;
  if (words[0] === "unique" || words[0] === "virtual") words.shift();
  const at = words[1] === "if" && words[2] === "not" ? 4 : 1;
  return words[at] === "temp" && words[at + 1] === ".";
}

/** Whether `sql` is a `PRAGMA foreign_keys` with a value. */
export function setsForeignKeys(keyword: string, sql: string): boolean {
  const pragma = pragmaOf(keyword, sql);
  return pragma !== null && pragma.sets && pragma.name === "foreign_keys";
}

function pragmaOf(keyword: string, sql: string): { name: string; schema: string; sets: boolean } | null {
  // Some pragmas take effect when they are compiled, which EXPLAIN does too.
  if (keyword !== "PRAGMA" && keyword !== "EXPLAIN") return null;
  const words = wordsOf(sql, 10);
  if (words[0] === "explain") words.splice(0, words[1] === "query" ? 3 : 1);
  if (words[0] !== "pragma") return null;
  const at = words[2] === "." ? 3 : 1;
  const sets = words[at + 1] === "=" || words[at + 1] === "(";
  return { name: words[at] ?? "", schema: at === 3 ? words[1]! : "", sets };
}

/** Whether a statement that starts with `keyword` is `PRAGMA busy_timeout`, and if so whether it sets that. */
export function busyTimeoutIn(keyword: string, sql: string): "reads" | "sets" | null {
  const pragma = pragmaOf(keyword, sql);
  if (pragma?.name !== "busy_timeout") return null;
  return pragma.sets ? "sets" : "reads";
}

/** The first tokens in lower case, without quotes around names. */
function wordsOf(sql: string, most: number): string[] {
  const words: string[] = [];
  for (let at = skipBlank(sql, 0); at < sql.length && words.length < most; ) {
    const end = tokenEnd(sql, at);
    const word = sql.slice(at, end).toLowerCase();
    if (word !== ";") words.push(word.replace(/^(["'`[])(.*)["'`\]]$/s, "$2"));
    at = skipBlank(sql, end);
  }
  return words;
}
