import type { NativeStatement, SetSavepoints } from "./native-statements.js";
import { guardComparisons, guardSets } from "./comparison-guard.js";
import type { DatabaseHandle } from "./database-handle.js";
import { type Operation, Step } from "./operation.js";
import { splitScript } from "../sql/script.js";
import type { SessionParts } from "./session-parts.js";
import type { Statement } from "./statement.js";
import { Taint } from "../sql/taint.js";
import { refuseEnding, type TransactionControl } from "./transaction-control.js";
import { codeOf, UsageError } from "../wire/fault.js";
import type { Packet } from "../wire/rows/row-encode.js";
import { scanParameters } from "../sql/parameters.js";
import { StatementFacts } from "../sql/statement-facts.js";
import { Flag, type SqlValue } from "../wire/protocol.js";
import { packetRows } from "../wire/rows/row-decode.js";

export type BulkParts = Pick<
  SessionParts,
  | "handle"
  | "out"
  | "state"
  | "lockWait"
  | "schema"
  | "counts"
  | "changes"
  | "trace"
  | "nativeStatements"
  | "attachedFiles"
  | "comparisons"
>;

/** Runs the statements of a script, one after the other. */
export function runScript(parts: BulkParts, transactions: TransactionControl, operation: Operation): number {
  const { handle, out, state, lockWait, counts, changes, trace, comparisons } = parts;
  const [sql, flags] = operation.fields as [string, number];
  if (operation.script === null) {
    refuseParameters(sql);
    operation.script = splitScript(sql);
  }
  if ((flags & Flag.COMMIT_FIRST) !== 0 && operation.at === 0 && handle.db.inTransaction)
    transactions.exec("COMMIT");
  for (;;) {
    transactions.require(flags);
    if (operation.piece === null) {
      const next = operation.script.next();
      if (next.done === true) break;
      // Not checked after the last statement: a script that has finished succeeds.
      if (lockWait.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
      operation.piece = next.value;
      operation.at++;
    }
    const { piece } = operation;
    const facts = new StatementFacts(piece);
    if (facts.endsTransaction) refuseEnding(flags);
    state.check(facts, flags);
    const { mark } = out;
    trace.text(piece);
    if (facts.busyTimeout !== null) lockWait.busyTimeout(facts.busyTimeout, piece);
    else {
      try {
        changes.mutate(facts, () =>
          guardComparisons(parts, facts, () => lockWait.telling(facts, () => handle.db.exec(piece))),
        );
      } catch (error) {
        if (trace.on && codeOf(error) === "SQLITE_ERROR" && !compiles(handle, piece)) out.rewind(mark);
        throw error;
      }
    }
    counts.wrote();
    handle.noteTransaction();
    state.taintBy(facts.taint);
    if (facts.setting === "ATTACH") parts.attachedFiles.mayHaveChanged(handle.db);
    state.scriptWrote(facts);
    operation.piece = null;
    comparisons.check();
  }
  parts.schema.mayHaveChanged();
  counts.rowidMayHaveChanged();
  out.done(-1, counts.lastInsertRowid);
  return Step.DONE;
}

/** Checked before anything runs: the engine would bind NULL to each parameter. */
function refuseParameters(script: string): void {
  if (!/[?:@$#]/.test(script)) return;
  for (const piece of splitScript(script)) {
    const { count, names } = scanParameters(piece);
    if (count === 0) continue;
    const name = names?.find((known) => known !== null) ?? "?";
    throw new UsageError(
      "PARAMETERS",
      `a script takes no parameters, and has ${name}: run a statement with parameters by itself`,
    );
  }
}

/** Runs a statement for each parameter set of a batch. */
export function runMany(parts: BulkParts, transactions: TransactionControl, operation: Operation): number {
  const { handle, out, state, schema, counts, changes, trace, nativeStatements } = parts;
  const statement = operation.statement!;
  const [, flags, batch] = operation.fields as [number, number, Packet | SqlValue[][]];
  transactions.require(flags);
  state.check(statement.facts, flags);
  statement.prepare(handle.db, schema);
  if (statement.taint === Taint.SURE) state.taintBy(Taint.SURE);
  if (statement.empty || statement.readonly) {
    throw new UsageError("NOT_DML", "executemany() can only execute DML statements.");
  }
  const together = isPacket(batch) && !trace.on;
  const compiled = together ? nativeStatements.take(statement) : null;
  operation.batch ??= compiled === null && isPacket(batch) ? packetRows(batch) : batch;
  try {
    changes.mutate(statement, () => {
      // Begins only once: a set that ends the transaction also fails.
      if (statement.dml) transactions.beginFor(flags);
      parts.lockWait.telling(statement.facts, () => {
        if (compiled === null) runSets(parts, operation, statement);
        else runPacket(parts, operation, compiled);
      });
    });
  } finally {
    if (compiled !== null) nativeStatements.giveBack(statement, compiled);
  }
  counts.wrote();
  if (!statement.keepsSchema) schema.mayHaveChanged();
  if (statement.taint !== Taint.NONE) state.taintBy(statement.taint);
  state.wroteBy(statement);
  out.done(statement.dml ? operation.changes : -1, counts.lastInsertRowid);
  return Step.DONE;
}

/** Whether SQLite began to run a statement that has failed: it traces no statement that it cannot compile. */
function compiles(handle: DatabaseHandle, sql: string): boolean {
  try {
    handle.privately(() => handle.db.prepare(sql));
    return true;
  } catch {
    return false;
  }
}

function isPacket(batch: Packet | SqlValue[][]): batch is Packet {
  return typeof batch[0] === "number";
}

function runSets(parts: BulkParts, operation: Operation, statement: Statement): void {
  const { handle, lockWait, counts, trace } = parts;
  const sets = operation.batch as SqlValue[][];
  const compiled = statement.handle(handle.db);
  while (operation.at < sets.length) {
    if (lockWait.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
    const values = sets[operation.at]!;
    trace.statement(statement, values);
    const info = guardComparisons(parts, statement.facts, () => compiled.run(...statement.bindings(values)));
    operation.changes += info.changes;
    counts.inserted(info.lastInsertRowid);
    operation.at++;
  }
}

/** Runs all sets in one call of the native companion, which is four times as fast. */
function runPacket(parts: BulkParts, operation: Operation, compiled: NativeStatement): void {
  const { counts, comparisons, nativeStatements } = parts;
  const batch = operation.batch as Packet;
  const run = (savepoints: SetSavepoints | null): void =>
    counts.inserted(nativeStatements.runMany(compiled, batch, operation, savepoints));
  if (comparisons.possible) guardSets(parts, run);
  else run(null);
}
