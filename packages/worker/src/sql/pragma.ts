import { skipBlank, tokenEnd } from "./parameters.js";

/** What a PRAGMA statement is about. */
export interface PragmaStatement {
  /** In lower case. */
  readonly name: string;
  /** It has a value, or an argument. */
  readonly hasValue: boolean;
  /** It tells something, and changes neither the connection nor the file. */
  readonly asks: boolean;
}

/** Those whose argument is a question. */
const ASK_WITH_VALUE = new Set([
  "foreign_key_check",
  "foreign_key_list",
  "index_info",
  "index_list",
  "index_xinfo",
  "integrity_check",
  "quick_check",
  "table_info",
  "table_list",
  "table_xinfo",
]);

/** Those that do something without a value. */
const ACT_WITHOUT_VALUE = new Set(["incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"]);

/** `sql`, a statement that starts with PRAGMA. */
export function pragmaStatement(sql: string): PragmaStatement {
  const words: string[] = [];
  for (let at = skipBlank(sql, 0); at < sql.length && words.length < 5; ) {
    const end = tokenEnd(sql, at);
    words.push(sql.slice(at, end).toLowerCase());
    at = skipBlank(sql, end);
  }
  const at = words[2] === "." ? 3 : 1;
  const name = words[at] ?? "";
  const hasValue = words[at + 1] === "=" || words[at + 1] === "(";
  return { name, hasValue, asks: hasValue ? ASK_WITH_VALUE.has(name) : !ACT_WITHOUT_VALUE.has(name) };
}
