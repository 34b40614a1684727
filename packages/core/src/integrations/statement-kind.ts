import { skipBlank, statementKeyword, tokenEnd } from "@sqlite-aio/worker/sql";

/**
 * What a query builder has to know of a statement before it runs: `rows` gives rows, `insert` and `change` give
 * counts, `session` changes the connection it runs on, `other` gives nothing.
 */
export type StatementKind = "rows" | "insert" | "change" | "session" | "other";

const BY_KEYWORD: Readonly<Record<string, StatementKind>> = {
  SELECT: "rows",
  VALUES: "rows",
  EXPLAIN: "rows",
  INSERT: "insert",
  REPLACE: "insert",
  UPDATE: "change",
  DELETE: "change",
  BEGIN: "session",
  COMMIT: "session",
  END: "session",
  ROLLBACK: "session",
  SAVEPOINT: "session",
  RELEASE: "session",
  ATTACH: "session",
  DETACH: "session",
};

/** The kind of a statement, from its text alone. */
export function statementKind(sql: string): StatementKind {
  const keyword = statementKeyword(sql);
  if (keyword === "WITH") return withReturning(sql, BY_KEYWORD[verbAfterWith(sql)] ?? "other");
  if (keyword === "PRAGMA") return /[=(]/.test(sql) && !TELLING_PRAGMA.test(sql) ? "session" : "rows";
  if (keyword === "CREATE") return /\btemp/i.test(sql) ? "session" : "other";
  return withReturning(sql, BY_KEYWORD[keyword] ?? "other");
}

/** Pragmas whose argument is a question, such as `table_info(note)`. */
const TELLING_PRAGMA = /\b\w+_(?:info|xinfo|list|check)\s*\(/i;

function withReturning(sql: string, kind: StatementKind): StatementKind {
  if ((kind !== "insert" && kind !== "change") || !/returning/i.test(sql)) return kind;
  for (const word of words(sql)) if (word === "RETURNING") return "rows";
  return kind;
}

/** The verb that the common table expressions belong to: the first outside parentheses that is not one of their names. */
function verbAfterWith(sql: string): string {
  let depth = 0;
  let named = false;
  for (const word of words(sql)) {
    if (word === "(") depth++;
    else if (word === ")") depth--;
    else if (depth > 0) continue;
    else if (word === "WITH" || word === "RECURSIVE" || word === ",") named = true;
    else if (named) named = false;
    else if (word in BY_KEYWORD) return word;
  }
  return "";
}

/** The tokens, in upper case; those in quotes keep them. */
function* words(sql: string): Generator<string> {
  for (let at = skipBlank(sql, 0); at < sql.length; ) {
    const end = tokenEnd(sql, at);
    yield sql.slice(at, end).toUpperCase();
    at = skipBlank(sql, end);
  }
}
