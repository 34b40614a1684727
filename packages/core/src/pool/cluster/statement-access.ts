import { factsOf, type PragmaStatement } from "@sqlite-aio/worker/sql";
import { ProgrammingError } from "../../errors/errors.js";
import { checkSql } from "../../thread/statement-cache.js";
import { notAtPrimary } from "./remote-errors.js";

/** Where a statement runs; `control` begins or ends a transaction. */
export type StatementAccess = "read" | "write" | "control";

/** Statements that the server refuses, and the text of the error. */
const REFUSED: Readonly<Record<string, string>> = {
  ATTACH: "ATTACH: a database of a cluster is one file",
  DETACH: "DETACH: a database of a cluster is one file",
  VACUUM: "VACUUM is not for clients of the primary",
  ANALYZE: "ANALYZE is not for clients of the primary",
};

/** Pragmas that can be set at the primary. Others belong to one connection, or are refused. */
const SETTABLE = new Set(["user_version", "foreign_keys", "defer_foreign_keys"]);

/**
 * Throws NotSupportedError for a statement that a cluster cannot run, and ProgrammingError for a text that is no
 * statement.
 */
export function accessOf(sql: string): StatementAccess {
  checkSql(sql);
  const { keyword, transaction, writes, onlyReads, pragma, setting } = factsOf(sql);
  if (transaction !== null) return "control";
  if (writes) return "write";
  const refused = REFUSED[keyword];
  if (refused !== undefined) throw notAtPrimary(refused, { sql });
  if (keyword === "PRAGMA") return pragmaAccess(pragma!, sql);
  if (setting === "TEMP") {
    throw notAtPrimary("temporary objects: no two statements are sure to have the same connection", { sql });
  }
  return onlyReads ? "read" : "write";
}

/** {@link accessOf} for a statement outside a transaction. */
export function accessOutside(sql: string): Exclude<StatementAccess, "control"> {
  const access = accessOf(sql);
  if (access !== "control") return access;
  throw new ProgrammingError(
    "a call of the pool is a transaction of its own: use transaction(), or acquire() for a connection of one's own",
    { code: "SQLITE_MISUSE", sql },
  );
}

function pragmaAccess({ name, value, asks }: PragmaStatement, sql: string): StatementAccess {
  if (asks) return "read";
  if (value !== null && SETTABLE.has(name)) return "write";
  throw notAtPrimary(`PRAGMA ${name}: no two statements are sure to have the same connection`, { sql });
}
