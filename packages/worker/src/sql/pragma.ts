import { firstTokens, nameOf } from "./tokens.js";

/** The parts of a PRAGMA statement. */
export interface PragmaStatement {
  /** In lower case. */
  readonly name: string;
  /** In lower case; "" if there is none. */
  readonly schema: string;
  /** In lower case, without quotes, with its sign; null if there is none. */
  readonly value: string | null;
  /** It only reads, and changes neither the connection nor the file. */
  readonly asks: boolean;
}

/** Pragmas that only read although they have an argument. */
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

/** Pragmas that do something without a value. */
const ACT_WITHOUT_VALUE = new Set(["incremental_vacuum", "optimize", "shrink_memory", "wal_checkpoint"]);

/** The value of a pragma that is a switch; null if it is none of SQLite's words for on and off. */
export function switchedTo(value: string): boolean | null {
  if (/^(?:on|1|true|yes)$/.test(value)) return true;
  return /^(?:off|0|false|no)$/.test(value) ? false : null;
}

/**
 * The parts of `sql` if it is a PRAGMA or the EXPLAIN of one, because some pragmas take effect when they are compiled.
 */
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
