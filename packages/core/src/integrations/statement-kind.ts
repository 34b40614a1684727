import { factsOf } from "@sqlite-aio/worker/sql";

/**
 * What a query builder must know about a statement before it runs: `rows` returns rows, `insert` and `change` return
 * counts, `session` changes its connection, `other` returns nothing.
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
