import { type Operation, Step } from "../handle/operation.js";
import type { Session } from "../handle/session.js";
import { sharedNow } from "../wire/clock.js";
import { codeOf } from "../wire/fault.js";
import { Flag, Op } from "../wire/protocol.js";

/** Whether the operation is a write that may share a transaction with its neighbours. */
export function isGroupable(session: Session, operation: Operation): boolean {
  if (operation.code !== Op.QUERY || (operation.flags & Flag.GROUP) === 0) return false;
  const statement = operation.statement!;
  try {
    statement.prepare(session.db);
  } catch {
    // It says so when it is run by itself.
    return false;
  }
  return statement.groupable;
}

/**
 * Group commit: the statements of several callers in one transaction, so that they share one fsync; nothing is
 * answered before COMMIT. A failing statement undoes itself and nothing else, as SQLite does inside any transaction,
 * so none needs a savepoint. False, with everything undone, where they would not behave as if each stood alone: the
 * transaction could not be committed, or a statement ended it.
 */
export function runGroup(
  session: Session,
  group: readonly Operation[],
  begin: (operation: Operation) => boolean,
  end: () => void,
): boolean {
  const { out, executor } = session;
  try {
    exec(session, "BEGIN IMMEDIATE");
  } catch {
    // Whoever holds the lock: the first statement waits for it by itself.
    return false;
  }
  const timings: { place: number; begun: number }[] = [];
  let last = group[0]!;
  for (const operation of group) {
    if (operation.skipped || !begin(operation)) {
      operation.skipped = true;
      out.skipped();
      continue;
    }
    last = operation;
    session.beginAttempt(operation.sequence, true, performance.now());
    if (operation.timed) {
      const begun = sharedNow();
      timings.push({ place: out.timing(begun), begun });
    }
    const { mark } = out;
    try {
      while (executor.step(operation) !== Step.DONE);
    } catch (error) {
      // A lock is for the one that met it to wait for.
      if (!session.inTransaction || isLock(error)) return undo(session);
      out.rewind(mark);
      session.wrote();
      session.rowidMayHaveChanged();
      out.fault(error);
      executor.failed(operation);
    }
    // An interrupt must not meet the COMMIT.
    end();
  }
  for (let first = true; ; first = false) {
    session.beginAttempt(last.sequence, first, performance.now());
    try {
      exec(session, "COMMIT");
      // Each ran until the COMMIT that it shares.
      for (const { place, begun } of timings) out.ran(place, sharedNow() - begun);
      return true;
    } catch (error) {
      if (!session.mayRetry(error)) return undo(session);
    }
  }
}

function undo(session: Session): false {
  if (session.inTransaction) exec(session, "ROLLBACK");
  session.wrote();
  session.rowidMayHaveChanged();
  return false;
}

/** The transaction is nobody's, so that no authorizer is asked about it. */
function exec(session: Session, sql: string): void {
  session.privately(() => session.mutate(null, () => session.db.exec(sql)));
}

function isLock(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED");
}
