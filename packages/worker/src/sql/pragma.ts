import { firstTokens, nameOf } from "./tokens.js";

/** What a PRAGMA statement is about. */
export interface PragmaStatement {
  /** In lower case. */
  readonly name: string;
  /** In lower case; "" if it names none. */
  readonly schema: string;
  /** In lower case, without quotes, with its sign; null if it has none. */
  readonly value: string | null;
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

/** What a pragma that is a switch is set to; null for another value than SQLite's words for that. */
export function switchedTo(value: string): boolean | null {
  if (/^(?:on|1|true|yes)$/.test(value)) return true;
  return /^(?:off|0|false|no)$/.test(value) ? false : null;
}

/** What `sql` is about if it is a PRAGMA, or the EXPLAIN of one: some take effect when they are compiled. */
export function pragmaIn(sql: string): PragmaStatement | null {
  const words = firstTokens(sql, 10).map(nameOf);
  if (words[0] === "explain") words.splice(0, words[1] === "query" ? 3 : 1);
  if (words.shift() !== "pragma") return null;
  const schema = words[1] === "." ? words.splice(0, 2)[0]! : "";
  const [name = "", sign, first = "", second = ""] = words;
  const value = sign !== "=" && sign !== "(" ? null : /^[+-]$/.test(first) ? first + second : first;
  const asks = value === null ? !ACT_WITHOUT_VALUE.has(name) : ASK_WITH_VALUE.has(name);
  return { name, schema, value, asks };
}
