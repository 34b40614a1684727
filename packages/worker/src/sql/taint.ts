import { skipBlank, tokenEnd } from "./parameters.js";

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
} as const;

/** What `sql`, a statement that starts with `keyword`, leaves behind on its connection beside its transaction. */
export function taintOf(keyword: string, sql: string): number {
  if (keyword === "ATTACH" || keyword === "DETACH") return Taint.SURE;
  if (keyword === "CREATE" || keyword === "ALTER") return Taint.PERHAPS;
  // Some pragmas take effect when they are compiled, which EXPLAIN does too.
  if (keyword !== "PRAGMA" && keyword !== "EXPLAIN") return Taint.NONE;
  const words = wordsOf(sql);
  if (words[0] !== "pragma") return Taint.NONE;
  const at = 1;
  const name = words[at + 1] === "." ? at + 2 : at;
  const sets = words[name + 1] === "=" || words[name + 1] === "(";
  return sets && !HARMLESS_PRAGMAS.has(words[name]!) ? Taint.SURE : Taint.NONE;
}

/** Whether a statement that starts with `keyword` is `PRAGMA busy_timeout`, and if so whether it sets that. */
export function busyTimeoutIn(keyword: string, sql: string): "reads" | "sets" | null {
  if (keyword !== "PRAGMA" && keyword !== "EXPLAIN") return null;
  const words = wordsOf(sql);
  const name = words[2] === "." ? 3 : 1;
  if (words[0] !== "pragma" || words[name]?.replace(/^["'`[]|["'`\]]$/g, "") !== "busy_timeout") return null;
  return words[name + 1] === undefined ? "reads" : "sets";
}

/** The first words of a statement in lower case, without those of EXPLAIN. */
function wordsOf(sql: string): string[] {
  const words: string[] = [];
  for (let at = skipBlank(sql, 0); at < sql.length && words.length < 10; at = skipBlank(sql, at)) {
    const end = tokenEnd(sql, at);
    const word = sql.slice(at, end).toLowerCase();
    if (word !== ";") words.push(word);
    at = end;
  }
  if (words[0] === "explain") words.splice(0, words[1] === "query" ? 3 : 1);
  return words;
}
