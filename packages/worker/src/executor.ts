import { arraySource, lineSource, statementSource, ThreadCursor } from "./cursors.js";
import { dump } from "./dump.js";
import { endsTransaction, splitScript } from "./script.js";
import type { Session } from "./session.js";
import { Statement } from "./statements.js";
import { Taint, taintOf } from "./wire/taint.js";
import type { Packet } from "./wire/packet.js";
import { statementKeyword } from "./wire/parameters.js";
import { Flag, Mode, MORE_COMING, MORE_WAITING, Op, type SqlValue, Verb } from "./wire/protocol.js";
import { packetRows } from "./wire/rows.js";
import { UsageError } from "./wire/fault.js";

/** What became of one step of an operation. */
export const Step = {
  /** Answered. */
  DONE: 0,
  /** One packet is answered, the operation goes on. */
  MORE: 1,
} as const;

const BEGIN_SQL = ["", "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"];

/** An operation taken off its frame. */
export interface Operation {
  /** Its number in the control block. */
  readonly sequence: number;
  readonly code: number;
  /** Null for all but QUERY and MANY. */
  readonly statement: Statement | null;
  /** The fields of a QUERY; `target` is its cursor. */
  mode: number;
  flags: number;
  target: number;
  limit: number;
  values: SqlValue[];
  /** The fields of any other. */
  readonly fields: readonly unknown[];
  /** What the operation keeps between steps. */
  cursor: ThreadCursor | null;
  script: Generator<string> | null;
  piece: string | null;
  batch: SqlValue[][] | null;
  at: number;
  changes: number;
  /** Not to be grouped (again). */
  single: boolean;
  /** Cancelled before it began. */
  skipped: boolean;
}

/** Runs operations on a session's handle and writes their answers. */
export class Executor {
  readonly #session: Session;
  readonly #statements = new Map<number, Statement>();
  readonly #cursors = new Map<number, ThreadCursor>();
  /** Numbers of executemany calls that have failed, whose next batch may be here already. */
  readonly #failedJobs = new Set<number>();
  readonly #interrupted: () => boolean;

  constructor(session: Session) {
    this.#session = session;
    this.#interrupted = () => session.interrupted;
  }

  get openCursors(): number {
    return this.#cursors.size;
  }

  define(id: number, sql: string, names: readonly (string | null)[] | null): void {
    this.#statements.set(id, new Statement(id, sql, names));
  }

  forget(id: number): void {
    this.#statements.delete(id);
  }

  statement(id: number): Statement {
    const statement = this.#statements.get(id);
    if (statement === undefined) throw new UsageError("PROTOCOL", `statement ${id} is not defined`);
    return statement;
  }

  release(cursor: number): void {
    this.#cursors.get(cursor)?.close();
    this.#cursors.delete(cursor);
    this.#failedJobs.delete(cursor);
  }

  /** The operation has failed, and is not tried again. */
  failed(operation: Operation): void {
    operation.cursor?.close();
    if (operation.code === Op.MANY) this.#failedJobs.add(operation.fields[3] as number);
  }

  /** Every half-read cursor gives an error in place of the rows that are left. */
  interruptCursors(): void {
    for (const cursor of this.#cursors.values()) cursor.interrupt();
  }

  /** Closes every cursor and lets go of every prepared statement, as before the handle is closed or replaced. */
  reset(): void {
    for (const cursor of this.#cursors.values()) cursor.close();
    this.#cursors.clear();
    for (const statement of this.#statements.values()) statement.reset();
  }

  /** Lets prepared statements be prepared again at their next use. */
  invalidate(): void {
    for (const statement of this.#statements.values()) statement.reset();
  }

  /** One step of `operation`. Whatever it throws has changed nothing, so that it may be tried again. */
  step(operation: Operation): number {
    const { fields } = operation;
    switch (operation.code) {
      case Op.QUERY:
        return this.#query(operation);
      case Op.FETCH:
        return this.#fetch(fields[0] as number, fields[1] as number);
      case Op.SCRIPT:
        return this.#script(operation);
      case Op.MANY:
        return this.#many(operation);
      case Op.CONTROL:
        this.#control(fields[0] as number, fields[1] as number);
        return Step.DONE;
      case Op.CALL:
        return this.#call(fields[0] as string, fields[1] as readonly unknown[], fields[2] as number);
      default:
        throw new UsageError("PROTOCOL", `operation ${operation.code} is not known`);
    }
  }

  #query(operation: Operation): number {
    const { out, db } = this.#session;
    if (operation.cursor !== null) return this.#stream(operation);
    const statement = operation.statement!;
    const { mode, flags, values } = operation;
    this.#requireTransaction(flags);
    statement.prepare(db);
    if (statement.empty) {
      out.done(-1, this.#session.lastInsertRowid);
      return Step.DONE;
    }
    if (statement.endsTransaction) refuseEnding(flags);
    // Compiling a pragma may be all that it takes.
    if (statement.taint === Taint.SURE) this.#session.taintBy(Taint.SURE);
    if ((flags & Flag.READ_ONLY) !== 0 && !statement.readonly) {
      out.refused();
      return Step.DONE;
    }
    if (statement.dml) this.#beginFor(flags);
    this.#session.trace(statement, values);
    const bindings = statement.bindings(values);
    if (!statement.reader || mode === Mode.RUN) {
      this.#run(statement, bindings);
      return Step.DONE;
    }
    if (!statement.readonly) return this.#returning(operation, statement, bindings);
    const handle = statement.handle(db);
    out.gaveRows(statement);
    if (!statement.keepsSchema) this.#session.schemaMayHaveChanged();
    if (statement.taint !== Taint.NONE) this.#session.taintBy(statement.taint);
    if (mode === Mode.GET) {
      const row = handle.get(...bindings) as SqlValue[] | undefined;
      out.rows(row === undefined ? [] : [row], row?.length ?? 0, 0, flags);
      return Step.DONE;
    }
    // A result that was small last time is read in one call, a third faster than stepping; the rest is streamed.
    if (mode === Mode.ALL && statement.lastRows <= SMALL_RESULT) {
      const rows = handle.all(...bindings);
      if (rows.length <= SMALL_RESULT) {
        out.rows(rows, rows[0]?.length ?? 0, 0, flags);
        return Step.DONE;
      }
      operation.cursor = new ThreadCursor(arraySource(rows), null, flags);
      return this.#stream(operation);
    }
    const cursor = new ThreadCursor(statementSource(statement, handle, bindings), null, flags);
    if (mode === Mode.CURSOR) return this.#open(cursor, operation.target, operation.limit, flags);
    operation.cursor = cursor;
    return this.#stream(operation);
  }

  /** A statement that writes and gives rows is run to its end at once, so that no write waits for a reader. */
  #returning(operation: Operation, statement: Statement, bindings: unknown[]): number {
    const { mode, flags } = operation;
    const { out } = this.#session;
    const rows = this.#session.mutate(statement, () => statement.handle(this.#session.db).all(...bindings));
    this.#session.wrote();
    if (!statement.keepsSchema) this.#session.schemaMayHaveChanged();
    out.gaveRows(statement);
    this.#session.writeCounts();
    if (mode === Mode.GET) {
      out.rows(rows.slice(0, 1), rows[0]?.length ?? 0, 0, flags);
      return Step.DONE;
    }
    const cursor = new ThreadCursor(arraySource(rows), null, flags);
    if (mode === Mode.CURSOR) return this.#open(cursor, operation.target, operation.limit, flags);
    operation.cursor = cursor;
    return this.#stream(operation);
  }

  #run(statement: Statement, bindings: unknown[]): void {
    const session = this.#session;
    const info = session.mutate(statement, () => statement.handle(session.db).run(...bindings));
    if (!statement.readonly) session.wrote();
    if (!statement.keepsSchema) session.schemaMayHaveChanged();
    if (statement.taint !== Taint.NONE) session.taintBy(statement.taint);
    session.lastInsertRowid = info.lastInsertRowid;
    session.out.done(statement.dml ? info.changes : -1, info.lastInsertRowid);
  }

  #open(cursor: ThreadCursor, id: number, limit: number, flags: number): number {
    const rows = cursor.take(limit, this.#interrupted);
    if (!cursor.done) this.#cursors.set(id, cursor);
    this.#session.out.rows(rows, cursor.columns, cursor.done ? 0 : MORE_WAITING, flags);
    return Step.DONE;
  }

  #stream(operation: Operation): number {
    const cursor = operation.cursor!;
    const rows = cursor.take(-1, this.#interrupted);
    operation.at += rows.length;
    this.#session.out.rows(rows, cursor.columns, cursor.done ? 0 : MORE_COMING, cursor.flags);
    if (!cursor.done) return Step.MORE;
    operation.statement!.lastRows = operation.at;
    return Step.DONE;
  }

  #fetch(id: number, limit: number): number {
    const { out } = this.#session;
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) {
      out.rows([], 0, 0, 0);
      return Step.DONE;
    }
    this.#requireTransaction(cursor.flags);
    let rows: SqlValue[][];
    try {
      rows = cursor.take(limit, this.#interrupted);
    } catch (error) {
      this.release(id);
      throw error;
    }
    if (cursor.done) this.#cursors.delete(id);
    const more = cursor.done ? 0 : limit < 0 ? MORE_COMING : MORE_WAITING;
    out.rows(rows, cursor.columns, more, cursor.flags);
    return more === MORE_COMING ? Step.MORE : Step.DONE;
  }

  #script(operation: Operation): number {
    const session = this.#session;
    const [sql, flags] = operation.fields as [string, number];
    operation.script ??= splitScript(sql);
    if ((flags & Flag.COMMIT_FIRST) !== 0 && operation.at === 0 && session.db.inTransaction)
      this.#exec("COMMIT");
    for (;;) {
      this.#requireTransaction(flags);
      if (operation.piece === null) {
        const next = operation.script.next();
        if (next.done === true) break;
        // Not behind the last one: what is done to its end is answered so.
        if (session.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
        operation.piece = next.value;
        operation.at++;
      }
      const { piece } = operation;
      const keyword = statementKeyword(piece);
      if (endsTransaction(keyword, piece)) refuseEnding(flags);
      session.trace(null, [], piece);
      session.mutate(piece, () => session.db.exec(piece));
      session.wrote();
      session.transactionWasOpen = session.inTransaction;
      session.taintBy(taintOf(keyword, piece));
      operation.piece = null;
    }
    session.schemaMayHaveChanged();
    session.rowidMayHaveChanged();
    session.out.done(-1, session.lastInsertRowid);
    return Step.DONE;
  }

  #many(operation: Operation): number {
    const session = this.#session;
    const statement = operation.statement!;
    const [, flags, batch, job] = operation.fields as [number, number, Packet | SqlValue[][], number];
    if (this.#failedJobs.has(job)) {
      session.out.skipped();
      return Step.DONE;
    }
    this.#requireTransaction(flags);
    statement.prepare(session.db);
    if (statement.taint === Taint.SURE) session.taintBy(Taint.SURE);
    if (statement.empty || statement.readonly) {
      throw new UsageError("NOT_DML", "executemany() can only execute DML statements.");
    }
    operation.batch ??= typeof batch[0] === "number" ? packetRows(batch as Packet) : (batch as SqlValue[][]);
    const sets = operation.batch;
    session.mutate(statement, () => {
      const handle = statement.handle(session.db);
      // Once: a set that ends the transaction does so with an error.
      if (statement.dml) this.#beginFor(flags);
      while (operation.at < sets.length) {
        if (session.interrupted) throw new UsageError("SQLITE_INTERRUPT", "interrupted");
        const values = sets[operation.at]!;
        session.trace(statement, values);
        const info = handle.run(...statement.bindings(values));
        operation.changes += info.changes;
        session.lastInsertRowid = info.lastInsertRowid;
        operation.at++;
      }
    });
    session.wrote();
    if (!statement.keepsSchema) session.schemaMayHaveChanged();
    if (statement.taint !== Taint.NONE) session.taintBy(statement.taint);
    session.out.done(statement.dml ? operation.changes : -1, session.lastInsertRowid);
    return Step.DONE;
  }

  #control(verb: number, argument: number): void {
    const { db, out } = this.#session;
    const open = db.inTransaction;
    switch (verb) {
      case Verb.BEGIN:
        this.#exec(BEGIN_SQL[argument] ?? "BEGIN");
        break;
      case Verb.COMMIT:
        if (open) this.#exec("COMMIT");
        break;
      case Verb.ROLLBACK:
        if (open) this.#exec("ROLLBACK");
        break;
      case Verb.FINISH:
        this.#finish(open);
        break;
      case Verb.SCRUB:
      case Verb.SETTLE:
        if (open) this.#exec("ROLLBACK");
        for (const cursor of this.#cursors.values()) cursor.close();
        this.#cursors.clear();
        if (verb === Verb.SETTLE) this.#session.settle();
        break;
      case Verb.SAVEPOINT:
        this.#requireTransaction(Flag.IN_TRANSACTION);
        this.#exec(`SAVEPOINT "sqlite_aio_${argument}"`);
        break;
      case Verb.RELEASE:
        this.#requireTransaction(Flag.IN_TRANSACTION);
        this.#exec(`RELEASE "sqlite_aio_${argument}"`);
        break;
      case Verb.ROLLBACK_TO:
        if (open) this.#exec(`ROLLBACK TO "sqlite_aio_${argument}"; RELEASE "sqlite_aio_${argument}"`);
        break;
      default:
        break;
    }
    out.value(open);
  }

  /** Deferred constraints and other processes can make COMMIT fail; the transaction must not stay behind. */
  #finish(open: boolean): void {
    if (!open) throw transactionOver();
    try {
      this.#exec("COMMIT");
    } catch (error) {
      if (this.#session.mayRetry(error)) throw error;
      if (this.#session.db.inTransaction) this.#exec("ROLLBACK");
      throw error;
    }
  }

  #call(method: string, args: readonly unknown[], flags: number): number {
    this.#requireTransaction(flags);
    if (method === "dump") {
      const [id, limit] = args as [number, number];
      return this.#open(new ThreadCursor(lineSource(dump(this.#session.db)), 1, flags), id, limit, flags);
    }
    this.#session.call(method, args);
    return Step.DONE;
  }

  /** What belongs to a transaction must not be run, and so committed, without it. */
  #requireTransaction(flags: number): void {
    if ((flags & Flag.IN_TRANSACTION) !== 0 && !this.#session.db.inTransaction) throw transactionOver();
  }

  #beginFor(flags: number): void {
    const begin = flags & Flag.BEGIN;
    if (begin === 0 || this.#session.db.inTransaction) return;
    this.#exec(BEGIN_SQL[begin]!);
    this.#session.transactionWasOpen = true;
  }

  #exec(sql: string): void {
    this.#session.trace(null, [], sql);
    this.#session.mutate(null, () => this.#session.db.exec(sql));
  }
}

const SMALL_RESULT = 512;

function refuseEnding(flags: number): void {
  if ((flags & Flag.IN_TRANSACTION) === 0) return;
  throw new UsageError(
    "TRANSACTION",
    "a transaction() ends when its callback does: return to commit, throw to roll back",
  );
}

function transactionOver(): UsageError {
  return new UsageError(
    "SQLITE_ABORT_ROLLBACK",
    "the transaction was rolled back after an earlier error, nothing more of it is run",
  );
}
