import { firstTokens, skipBlank, tokenEnd, upperCase } from "./tokens.js";

/** The bind parameters of one statement, as SQLite numbers them. */
export interface ParameterList {
  /** Number of values that the statement takes: its highest index. */
  readonly count: number;
  /**
   * The full names (":a", "?5") by index - 1, `null` if anonymous. `null` in place of the array if no parameter has a
   * name.
   */
  readonly names: readonly (string | null)[] | null;
}

const NONE: ParameterList = { count: 0, names: null };

/** SQLITE_MAX_VARIABLE_NUMBER: SQLite refuses a higher `?NNN`. */
const MAX_INDEX = 32766;

/** `$a`, `:a`, `@a` and `#a`. */
const STARTS_NAME = new Set(["$", ":", "@", "#"]);

/**
 * Finds the bind parameters of one statement and numbers them as SQLite does
 * (https://sqlite.org/lang_expr.html#varparam). Never throws: it ignores what SQLite would reject.
 */
export function scanParameters(sql: string): ParameterList {
  if (!/[?:@$#]/.test(sql)) return NONE;
  let count = 0;
  let names: (string | null)[] | null = null;
  let seen: Set<string> | null = null;
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const first = sql.charAt(at);
    const end = tokenEnd(sql, at);
    if (first === "?" && end === at + 1) {
      count++;
      names?.push(null);
    } else if (first === "?") {
      const index = Number(sql.slice(at + 1, end));
      if (index >= 1 && index <= MAX_INDEX) {
        names ??= unnamed(count);
        while (count < index) count = names.push(null);
        // An index keeps its first name: in ":a, ?1" both are ":a".
        names[index - 1] ??= sql.slice(at, end);
      }
    } else if (STARTS_NAME.has(first) && isName(sql, at, end)) {
      const name = sql.slice(at, end);
      seen ??= new Set();
      if (!seen.has(name)) {
        seen.add(name);
        names ??= unnamed(count);
        count = names.push(name);
      }
    }
    at = skipBlank(sql, end);
  }
  if (count === 0 || isVirtualTable(sql)) return NONE;
  return { count, names };
}

function unnamed(count: number): null[] {
  return Array.from({ length: count }, () => null);
}

// "#1" is SQLite's internal register syntax, an error in a user's text. "#a" is a parameter like ":a".
function isName(sql: string, at: number, end: number): boolean {
  let first = at + 1;
  while (sql.charCodeAt(first) === 58) first++;
  return first < end && !/^#[0-9]/.test(sql.slice(at, at + 2));
}

// A module gets its arguments as text, so they contain no parameters.
function isVirtualTable(sql: string): boolean {
  const words = firstTokens(sql, 5).map(upperCase);
  if (words[0] === "EXPLAIN") words.splice(0, words[1] === "QUERY" ? 3 : 1);
  return words[0] === "CREATE" && words[1] === "VIRTUAL";
}
