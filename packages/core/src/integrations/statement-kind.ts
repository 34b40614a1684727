import { factsOf } from "@sqlite-aio/worker/sql";

/**
 * What a query builder has to know of a statement before it runs: `rows` gives rows, `insert` and `change` give
 * counts, `session` changes the connection it runs on, `other` gives nothing.
 */
export type StatementKind = "rows" | "insert" | "change" | "session" | "other";

/** The kind of a statement, from its text alone. */
export function statementKind(sql: string): StatementKind {
  const { keyword, pragma, returns, inserts, writes, onlyReads, transaction, setting } = factsOf(sql);
  if (keyword === "PRAGMA") return pragma!.value === null || pragma!.asks ? "rows" : "session";
  if (returns || onlyReads) return "rows";
  if (writes) return inserts ? "insert" : "change";
  return transaction !== null || setting !== null ? "session" : "other";
}
