import type { StatementFacts } from "../sql/statement-facts.js";
import type { DatabaseHandle } from "./database-handle.js";
import { SavepointLeft, type SetSavepoints } from "./native-statements.js";
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
  const undo = undoing(handle);
  exec(handle, BEGIN);
  let ran = false;
  try {
    const result = run();
    ran = true;
    comparisons.check();
    exec(handle, KEEP);
    return result;
  } catch (error) {
    // What another error leaves, it leaves here too: OR FAIL keeps the rows before it.
    endFailed(handle, ran || comparisons.failed ? undo : KEEP, undo);
    throw error;
  }
}

/** The same for the sets of a batch: `run` gives each of them a savepoint of its own. */
export function guardSets(
  {
    handle,
    comparisons,
    nativeStatements,
  }: Pick<SessionParts, "handle" | "comparisons" | "nativeStatements">,
  run: (savepoints: SetSavepoints) => void,
): void {
  const undo = undoing(handle);
  const [begin, keep] = handle.privately(() => nativeStatements.savepoints(BEGIN, KEEP));
  const savepoints: SetSavepoints = { begin, keep, undo: comparisons.flag, left: SavepointLeft.NONE };
  try {
    run(savepoints);
  } catch (error) {
    const ran = savepoints.left === SavepointLeft.UNDO;
    if (savepoints.left !== SavepointLeft.NONE)
      endFailed(handle, ran || comparisons.failed ? undo : KEEP, undo);
    // As in CPython, the error of the statement itself comes first.
    if (ran) comparisons.check();
    throw error;
  }
}

function exec(handle: DatabaseHandle, sql: string): void {
  handle.privately(() => handle.besideCursors(() => handle.db.exec(sql)));
}

/** Released, a savepoint that began the transaction would commit it, and be reported as a change. */
function undoing(handle: DatabaseHandle): string {
  return handle.inTransaction ? UNDO : "ROLLBACK";
}

/** Ends the savepoint of a statement that has failed, if the failure has not. */
function endFailed(handle: DatabaseHandle, end: string, undo: string): void {
  if (!handle.inTransaction) return;
  try {
    exec(handle, end);
  } catch {
    // What cannot be committed must not stay open.
    exec(handle, undo);
  }
}
