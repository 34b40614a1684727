import type { StatementFacts } from "../sql/statement-facts.js";
import type { SessionParts } from "./session-parts.js";

const BEGIN = "SAVEPOINT sqlite_aio_comparisons";
const KEEP = "RELEASE sqlite_aio_comparisons";
const UNDO = `ROLLBACK TO sqlite_aio_comparisons; ${KEEP}`;

/** Besides DML: an index could get a wrong order, or a table wrong rows. */
const COMPARES: ReadonlySet<string> = new Set(["CREATE", "REINDEX", "ALTER", "ANALYZE"]);

/**
 * Runs a statement by `run`, and undoes it if a collation has failed in it. SQLite learns nothing of that failure, and would
 * keep, or commit, what the statement wrote.
 */
export function guardComparisons<T>(
  { handle, comparisons }: Pick<SessionParts, "handle" | "comparisons">,
  facts: StatementFacts,
  run: () => T,
): T {
  if (!comparisons.possible || !(facts.writes || COMPARES.has(facts.keyword))) return run();
  const exec = (sql: string): void =>
    void handle.privately(() => handle.besideCursors(() => handle.db.exec(sql)));
  // Released, a savepoint that began the transaction would commit it, and be reported as a change.
  const undo = handle.inTransaction ? UNDO : "ROLLBACK";
  exec(BEGIN);
  // What another error leaves, it leaves here too: OR FAIL keeps the rows before it.
  let end = KEEP;
  try {
    const result = run();
    end = undo;
    comparisons.check();
    exec(KEEP);
    return result;
  } catch (error) {
    if (handle.inTransaction) {
      try {
        exec(end);
      } catch {
        // What cannot be committed must not stay open.
        exec(undo);
      }
    }
    throw error;
  }
}
