import { skipBlank, tokenEnd } from "./tokens.js";

/**
 * The statements of a script, each from its first token to its semicolon (the last one to its last token). A trigger
 * ends at `; END ;`, as in https://sqlite.org/c3ref/complete.html. Empty statements are left out. Whether a statement
 * is valid is for SQLite to decide.
 */
export function* splitScript(sql: string): Generator<string> {
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    let end = at + 1;
    if (!isSemicolon(sql, at)) {
      end = isTrigger(sql, at) ? triggerEnd(sql, at) : statementEnd(sql, at);
      yield sql.slice(at, end);
    }
    at = skipBlank(sql, end);
  }
}

function isSemicolon(sql: string, at: number): boolean {
  return sql.charCodeAt(at) === 59;
}

function statementEnd(sql: string, at: number): number {
  for (;;) {
    const end = tokenEnd(sql, at);
    if (isSemicolon(sql, at)) return end;
    at = skipBlank(sql, end);
    if (at >= sql.length) return end;
  }
}

function triggerEnd(sql: string, at: number): number {
  let ending: "" | ";" | "; END" = "";
  for (;;) {
    const end = tokenEnd(sql, at);
    if (isSemicolon(sql, at)) {
      if (ending === "; END") return end;
      ending = ";";
    } else {
      ending = ending === ";" && isWord(sql, at, end, "END") ? "; END" : "";
    }
    at = skipBlank(sql, end);
    if (at >= sql.length) return end;
  }
}

function isTrigger(sql: string, at: number): boolean {
  let end = tokenEnd(sql, at);
  const skip = (...words: string[]): boolean => {
    if (!words.some((word) => isWord(sql, at, end, word))) return false;
    at = skipBlank(sql, end);
    end = tokenEnd(sql, at);
    return true;
  };
  if (skip("EXPLAIN") && skip("QUERY")) skip("PLAN");
  if (!skip("CREATE")) return false;
  skip("TEMP", "TEMPORARY");
  return isWord(sql, at, end, "TRIGGER");
}

function isWord(sql: string, at: number, end: number, word: string): boolean {
  return end - at === word.length && sql.slice(at, end).toUpperCase() === word;
}
