import type { NativeStatement } from "./native-statements.js";
import { type Operation, Step } from "./operation.js";
import { splitScript } from "../sql/script.js";
import type { Session } from "./session.js";
import type { Statement } from "./statement.js";
import { Taint } from "../sql/taint.js";
import { refuseEnding, type TransactionControl } from "./transaction-control.js";
import { UsageError } from "../wire/fault.js";
import type { Packet } from "../wire/row-encode.js";
import { scanParameters } from "../sql/parameters.js";
import { StatementFacts } from "../sql/statement-facts.js";
import { Flag, type SqlValue } from "../wire/protocol.js";
import { packetRows } from "../wire/row-decode.js";

/** The statements of a script, one after the other. */
export function runScript(session: Session, transactions: TransactionControl, operation: Operation): number {
  const [sql, flags] = operation.fields as [string, number];
  if (operation.script === null) {
    refuseParameters(sql);
    operation.script = splitScript(sql);
  }
  if ((flags & Flag.COMMIT_FIRST) !== 0 && operation.at === 0 && session.db.inTransaction)
    transactions.exec("COMMIT");
  for (;;) {
    transactions.require(flags);
    if (operation.piece === null) {
      const next = operation.script.next();
      if (next.done === true) break;
      // Not behind the last one: what is done to its end is answered so.
      if (session.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
      operation.piece = next.value;
      operation.at++;
    }
    const { piece } = operation;
    const facts = new StatementFacts(piece);
    if (facts.endsTransaction) refuseEnding(flags);
    session.check(facts, flags);
    session.trace(null, [], piece);
    if (facts.busyTimeout !== null) session.busyTimeout(facts.busyTimeout, piece);
    else session.mutate(facts, () => session.db.exec(piece));
    session.counts.wrote();
    session.transactionWasOpen = session.inTransaction;
    session.taintBy(facts.taint);
    session.scriptWrote(facts);
    operation.piece = null;
  }
  session.schemaMayHaveChanged();
  session.counts.rowidMayHaveChanged();
  session.out.done(-1, session.counts.lastInsertRowid);
  return Step.DONE;
}

/** Before anything is run: the engine takes a parameter that nobody has bound for NULL. */
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

/** A statement for each parameter set of a batch. */
export function runMany(session: Session, transactions: TransactionControl, operation: Operation): number {
  const statement = operation.statement!;
  const [, flags, batch] = operation.fields as [number, number, Packet | SqlValue[][]];
  transactions.require(flags);
  session.check(statement.facts, flags);
  statement.prepare(session.db, session.schema);
  if (statement.taint === Taint.SURE) session.taintBy(Taint.SURE);
  if (statement.empty || statement.readonly) {
    throw new UsageError("NOT_DML", "executemany() can only execute DML statements.");
  }
  const compiled = isPacket(batch) && !session.tracing ? session.nativeStatements.take(statement) : null;
  operation.batch ??= compiled === null && isPacket(batch) ? packetRows(batch) : batch;
  try {
    session.mutate(statement, () => {
      // Once: a set that ends the transaction does so with an error.
      if (statement.dml) transactions.beginFor(flags);
      if (compiled === null) runSets(session, operation, statement);
      else runPacket(session, operation, compiled);
    });
  } finally {
    if (compiled !== null) session.nativeStatements.giveBack(statement, compiled);
  }
  session.counts.wrote();
  if (!statement.keepsSchema) session.schemaMayHaveChanged();
  if (statement.taint !== Taint.NONE) session.taintBy(statement.taint);
  session.wroteBy(statement);
  session.out.done(statement.dml ? operation.changes : -1, session.counts.lastInsertRowid);
  return Step.DONE;
}

function isPacket(batch: Packet | SqlValue[][]): batch is Packet {
  return typeof batch[0] === "number";
}

function runSets(session: Session, operation: Operation, statement: Statement): void {
  const sets = operation.batch as SqlValue[][];
  const handle = statement.handle(session.db);
  while (operation.at < sets.length) {
    if (session.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
    const values = sets[operation.at]!;
    session.trace(statement, values);
    const info = handle.run(...statement.bindings(values));
    operation.changes += info.changes;
    session.counts.inserted(info.lastInsertRowid);
    operation.at++;
  }
}

/** All sets in one call of the companion's, which is four times as fast. */
function runPacket(session: Session, operation: Operation, compiled: NativeStatement): void {
  const batch = operation.batch as Packet;
  session.counts.inserted(session.nativeStatements.runMany(compiled, batch, operation));
}
