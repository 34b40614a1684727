import { pragmaStatement, skipBlank, statementKeyword, tokenEnd } from "@sqlite-aio/worker/sql";
import { ProgrammingError } from "../../errors/errors.js";
import { checkSql } from "../../thread/statement-cache.js";
import { notAtPrimary } from "./remote-errors.js";

/** Where a statement belongs: `control` begins or ends a transaction. */
export type StatementAccess = "read" | "write" | "control";

const CONTROL = new Set(["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"]);
const READS = new Set(["SELECT", "VALUES", "EXPLAIN"]);
const WRITES = new Set(["INSERT", "UPDATE", "DELETE", "REPLACE"]);

/** What the server refuses, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  ATTACH: "ATTACH: a database of a cluster is one file",
  DETACH: "DETACH: a database of a cluster is one file",
  VACUUM: "VACUUM is not for clients of the primary",
  ANALYZE: "ANALYZE is not for clients of the primary",
};

/** Pragmas with a value that mean something at the primary; the others are of the connection, or refused. */
const SETTABLE = new Set(["user_version", "foreign_keys", "defer_foreign_keys"]);

/** Throws NotSupportedError for what cannot be done in a cluster, and ProgrammingError for what is no statement. */
export function accessOf(sql: string): StatementAccess {
  checkSql(sql);
  const keyword = statementKeyword(sql);
  if (READS.has(keyword)) return "read";
  if (CONTROL.has(keyword)) return "control";
  if (WRITES.has(keyword)) return "write";
  const refused = REFUSED[keyword];
  if (refused !== undefined) throw notAtPrimary(refused, { sql });
  if (keyword === "WITH") return writesAfterWith(sql) ? "write" : "read";
  if (keyword === "PRAGMA") return pragmaAccess(sql);
  if (keyword === "CREATE" && /^TEMP(?:ORARY)?$/.test(wordAt(sql, 1))) {
    throw notAtPrimary("temporary objects: no two statements are sure to have the same connection", { sql });
  }
  return "write";
}

/** As {@link accessOf}, for what is a transaction of its own. */
export function accessOutside(sql: string): Exclude<StatementAccess, "control"> {
  const access = accessOf(sql);
  if (access !== "control") return access;
  throw new ProgrammingError(
    "a call of the pool is a transaction of its own: use transaction(), or acquire() for a connection of one's own",
    { code: "SQLITE_MISUSE", sql },
  );
}

function pragmaAccess(sql: string): StatementAccess {
  const { name, hasValue, asks } = pragmaStatement(sql);
  if (asks) return "read";
  if (hasValue && SETTABLE.has(name)) return "write";
  throw notAtPrimary(`PRAGMA ${name}: no two statements are sure to have the same connection`, { sql });
}

/** Whether the statement that its common table expressions belong to writes. */
function writesAfterWith(sql: string): boolean {
  let depth = 0;
  for (const word of wordsOf(sql, Number.POSITIVE_INFINITY)) {
    if (word === "(") depth++;
    else if (word === ")") depth--;
    else if (depth === 0 && WRITES.has(word)) return true;
  }
  return false;
}

function wordAt(sql: string, index: number): string {
  return [...wordsOf(sql, index + 1)][index] ?? "";
}

/** The first tokens, in upper case. */
function* wordsOf(sql: string, most: number): Generator<string> {
  let count = 0;
  for (let at = skipBlank(sql, 0); at < sql.length && count < most; count++) {
    const end = tokenEnd(sql, at);
    yield sql.slice(at, end).toUpperCase();
    at = skipBlank(sql, end);
  }
}
