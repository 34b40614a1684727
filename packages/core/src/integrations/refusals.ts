import { factsOf, splitScript } from "@sqlite-aio/worker/sql";
import { OperationalError, ProgrammingError } from "../errors/errors.js";
import { setInVain } from "../errors/set-in-vain.js";

/** This symbol tells Kysely that there is nothing left to roll back. */
const ABORTED = Symbol.for("kysely.AbortedTransactionError");

/** The error for statements in a transaction that SQLite has rolled back because of `cause`. */
export function aborted(cause: unknown): OperationalError {
  const error = new OperationalError(
    "the transaction was rolled back after an earlier error, nothing more of it is run",
    { code: "SQLITE_ABORT_ROLLBACK", cause },
  );
  return Object.assign(error, { rolledBack: true, [ABORTED]: true });
}

/** Whether it is one of {@link aborted}. */
export function isAborted(error: unknown): boolean {
  return typeof error === "object" && error !== null && ABORTED in error;
}

/** Refuses several statements in one text: SQLite would run only the first, and the caller would not notice. */
export function refuseSeveral(sql: string): void {
  const statements = splitScript(sql);
  statements.next();
  if (statements.next().done !== true) {
    throw new ProgrammingError("You can only execute one statement at a time.", {
      code: "SQLITE_MISUSE",
      sql,
    });
  }
}

/** The error for a `PRAGMA foreign_keys` that no statement followed. */
export function switchedInVain(): ProgrammingError {
  return new ProgrammingError(
    "PRAGMA foreign_keys holds for its own connection, which was given back with nothing else run on it: run it together with the statements that need it, on one connection",
    { code: "SQLITE_MISUSE" },
  );
}

/** An effect that is lost with its connection. */
export interface Loss {
  readonly error: ProgrammingError;
  /**
   * Whether that is an error for its caller. Temporary objects only cause a warning: query builders create them by calls
   * of their own, and whoever needs one then is told that it does not exist.
   */
  readonly refused: boolean;
}

/** What is lost of a statement if no other one is run on its connection; null if nothing is. */
export function lostWith(sql: string): Loss | null {
  const { setting, setsForeignKeys, transaction } = factsOf(sql);
  if (transaction?.verb === "begin" || transaction?.verb === "savepoint")
    return { error: begunInVain(sql), refused: true };
  // `PRAGMA foreign_keys` has a rule of its own: switchedInVain().
  if (setting === null || setsForeignKeys) return null;
  return { error: setInVain(setting, sql, "one connection"), refused: setting !== "TEMP" };
}

/** The error for a statement that begins a transaction, if no other statement was run. */
function begunInVain(sql: string): ProgrammingError {
  return new ProgrammingError(
    "a transaction that is begun by a single statement is rolled back when that is over: use transaction(), or run it together with the statements that belong to it on one connection",
    { code: "SQLITE_MISUSE", sql },
  );
}

/** The error for statements that are called while their transaction ends. */
export function transactionOver(): ProgrammingError {
  return new ProgrammingError("the transaction is over, nothing more of it is run", {
    code: "SQLITE_MISUSE",
  });
}

/** The error for statements on a connection that was released. */
export function released(): ProgrammingError {
  return new ProgrammingError("the connection was given back, nothing more is run on it", {
    code: "SQLITE_MISUSE",
  });
}
