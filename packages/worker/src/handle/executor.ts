import { type BulkParts, runMany, runScript } from "./bulk.js";
import type { EngineColumn } from "../engine/engine-api.js";
import { guardComparisons } from "./comparison-guard.js";
import {
  arraySource,
  lineSource,
  type ResultCursor,
  SMALL_RESULT,
  statementSource,
  ThreadCursor,
} from "./cursors/cursors.js";
import { dump } from "./dump.js";
import { NativeCursor } from "./cursors/native-cursor.js";
import { type Operation, Step } from "./operation.js";
import type { Methods } from "./methods.js";
import { valueMode } from "./native-statements.js";
import type { SessionParts } from "./session-parts.js";
import { Statement } from "./statement.js";
import { refuseEnding, TransactionControl } from "./transaction-control.js";
import { Taint } from "../sql/taint.js";
import { Flag, Mode, MORE_COMING, MORE_WAITING, Op, type SqlValue } from "../wire/protocol.js";
import { UsageError } from "../wire/fault.js";

interface Returned {
  readonly rows: SqlValue[][];
  /** Null: the engine's own. */
  readonly columns: readonly EngineColumn[] | null;
  readonly flags: number;
}

type ExecutorParts = BulkParts & Pick<SessionParts, "cursors" | "blobs">;

/** Runs operations on a connection's handle and writes their answers. */
export class Executor {
  readonly #parts: ExecutorParts;
  readonly #methods: Methods;
  readonly #transactions: TransactionControl;
  readonly #statements = new Map<number, Statement>();
  /** Numbers of failed executemany calls, whose next batch may have arrived already. */
  readonly #failedJobs = new Set<number>();
  readonly #interrupted: () => boolean;

  constructor(parts: ExecutorParts, methods: Methods) {
    this.#parts = parts;
    this.#methods = methods;
    this.#transactions = new TransactionControl(parts);
    this.#interrupted = () => parts.lockWait.interrupted;
  }

  define(id: number, sql: string, names: readonly (string | null)[] | null): void {
    this.#statements.set(id, new Statement(id, sql, names));
  }

  forget(id: number): void {
    const statement = this.#statements.get(id);
    if (statement !== undefined) this.#parts.nativeStatements.forget(statement);
    this.#statements.delete(id);
  }

  statement(id: number): Statement {
    const statement = this.#statements.get(id);
    if (statement === undefined) throw new UsageError("PROTOCOL", `statement ${id} is not defined`);
    return statement;
  }

  release(cursor: number): void {
    this.#parts.cursors.close(cursor);
    this.#failedJobs.delete(cursor);
    this.#parts.blobs.release(cursor);
  }

  /** Call it when an operation has failed and is not retried. */
  failed(operation: Operation): void {
    const { code, fields } = operation;
    operation.cursor?.close();
    if (code === Op.MANY) this.#failedJobs.add(fields[3] as number);
    // A cursor may have been kept before the failure of a collation was noticed.
    if (code === Op.QUERY && operation.mode === Mode.CURSOR) this.#parts.cursors.close(operation.target);
    if (code === Op.FETCH) this.#parts.cursors.close(fields[0] as number);
  }

  /**
   * Releases every prepared statement, before the handle is closed or replaced. Half-read cursors give an error, so
   * that a truncated result does not look complete.
   */
  reset(): void {
    this.#parts.cursors.interrupt();
    this.#parts.blobs.closeAll();
    for (const statement of this.#statements.values()) statement.reset();
  }

  /**
   * Runs one step of `operation`. If it throws, it has changed nothing, so the step may be retried.
   */
  step(operation: Operation): number {
    const { comparisons } = this.#parts;
    comparisons.begin();
    const step = this.#step(operation);
    comparisons.check();
    return step;
  }

  #step(operation: Operation): number {
    const { fields } = operation;
    switch (operation.code) {
      case Op.QUERY:
        return this.#query(operation);
      case Op.FETCH:
        return this.#fetch(fields[0] as number, fields[1] as number);
      case Op.SCRIPT:
        return runScript(this.#parts, this.#transactions, operation);
      case Op.MANY:
        if (!this.#failedJobs.has(operation.fields[3] as number)) {
          return runMany(this.#parts, this.#transactions, operation);
        }
        this.#parts.out.skipped();
        return Step.DONE;
      case Op.CONTROL:
        this.#transactions.run(fields[0] as number, fields[1] as number);
        return Step.DONE;
      default:
        // Op.CALL: the frame reader lets no other code through.
        return this.#call(fields[0] as string, fields[1] as readonly unknown[], fields[2] as number);
    }
  }

  #query(operation: Operation): number {
    const { handle, out, state, schema } = this.#parts;
    const { db } = handle;
    if (operation.cursor !== null) return this.#stream(operation);
    const statement = operation.statement!;
    const { mode, flags, values } = operation;
    this.#transactions.require(flags);
    state.check(statement.facts, flags);
    if (mode === Mode.DESCRIBE) {
      // Running a statement would notice a schema change of another connection. This statement does not run, so check
      // here.
      schema.refresh();
      statement.reset();
    }
    statement.prepare(db, schema);
    if (mode === Mode.DESCRIBE) {
      // Compiling a pragma may be all that it takes.
      if (statement.taint === Taint.SURE) state.taintBy(Taint.SURE);
      out.value(statement.describe());
      return Step.DONE;
    }
    if (statement.empty) {
      out.done(-1, this.#parts.counts.lastInsertRowid);
      return Step.DONE;
    }
    if (statement.facts.endsTransaction) refuseEnding(flags);
    // Compiling a pragma may be all that it takes.
    if (statement.taint === Taint.SURE) state.taintBy(Taint.SURE);
    if ((flags & Flag.READ_ONLY) !== 0 && !statement.readonly) {
      out.refused();
      return Step.DONE;
    }
    if (statement.facts.busyTimeout !== null && statement.reader)
      return this.#busyTimeout(operation, statement);
    if (statement.facts.begins) this.#transactions.beginFor(flags);
    this.#parts.trace.statement(statement, values);
    if (!statement.facts.namesBusyTimeout) return this.#execute(operation, statement);
    return this.#parts.lockWait.telling(statement.facts, () => this.#execute(operation, statement));
  }

  #execute(operation: Operation, statement: Statement): number {
    const { handle, out, state, schema } = this.#parts;
    const { db } = handle;
    const { mode, flags, values } = operation;
    const atOnce = statement.facts.namesBusyTimeout;
    if (statement.reader && statement.readonly && mode !== Mode.RUN && !atOnce) {
      const cursor = this.#nativeCursor(operation);
      if (cursor !== null && mode !== Mode.GET) return this.#begin(operation, cursor);
      if (cursor !== null) {
        cursor.answerFirst(out);
        return Step.DONE;
      }
    }
    const bindings = statement.bindings(values);
    if (!statement.reader || mode === Mode.RUN) {
      this.#run(statement, bindings);
      return Step.DONE;
    }
    if (!statement.readonly) return this.#returning(operation, statement, bindings);
    const compiled = statement.handle(db);
    out.gaveRows(statement);
    if (!statement.keepsSchema) schema.mayHaveChanged();
    if (statement.taint !== Taint.NONE) state.taintBy(statement.taint);
    if (mode === Mode.GET) {
      const row = compiled.get(...bindings) as SqlValue[] | undefined;
      out.rows(row === undefined ? [] : [row], row?.length ?? 0, 0, flags);
      return Step.DONE;
    }
    // A result that was small last time is read in one call, a third faster than stepping. Other results are streamed.
    if (atOnce || (mode === Mode.ALL && statement.lastRows <= SMALL_RESULT)) {
      const rows = compiled.all(...bindings);
      if (mode === Mode.ALL && rows.length <= SMALL_RESULT) {
        out.rows(rows, rows[0]?.length ?? 0, 0, flags);
        return Step.DONE;
      }
      return this.#begin(operation, new ThreadCursor(arraySource(rows), null, flags));
    }
    const source = statementSource(statement, compiled, bindings, this.#parts.comparisons);
    const cursor = new ThreadCursor(source, null, flags);
    return this.#begin(operation, cursor);
  }

  /**
   * A cursor of the native companion for a result that may be large, or whose texts may not be UTF-8; null if the
   * engine's own functions are as good.
   */
  #nativeCursor({ statement, mode, limit, values, flags }: Operation): NativeCursor | null {
    const { nativeStatements } = this.#parts;
    if (!statement!.keepsSchema) return null;
    if ((flags & Flag.RAW_TEXT) === 0) {
      const small = mode === Mode.ALL ? SMALL_RESULT : limit;
      if (mode === Mode.GET || statement!.lastRows <= small) return null;
    }
    const compiled = nativeStatements.take(statement!);
    return compiled === null ? null : new NativeCursor(nativeStatements, statement!, compiled, values, flags);
  }

  #begin(operation: Operation, cursor: ResultCursor): number {
    if (operation.mode === Mode.CURSOR) return this.#open(cursor, operation);
    operation.cursor = cursor;
    return this.#stream(operation);
  }

  #busyTimeout({ mode, flags, values }: Operation, statement: Statement): number {
    const { handle, out, lockWait, counts, trace } = this.#parts;
    trace.statement(statement, values);
    const timeout = lockWait.busyTimeout(statement.facts.busyTimeout!, statement.sql);
    if (mode === Mode.RUN) out.done(-1, counts.lastInsertRowid);
    else {
      statement.handle(handle.db);
      out.gaveRows(statement);
      out.rows([[BigInt(timeout)]], 1, 0, flags);
    }
    return Step.DONE;
  }

  /** Runs a statement with RETURNING to its end at once, so that no write waits for a reader. */
  #returning(operation: Operation, statement: Statement, bindings: unknown[]): number {
    const { mode } = operation;
    const { out, state, schema, counts, changes: tracker } = this.#parts;
    const { rows, columns, flags } = tracker.mutate(statement, () =>
      guardComparisons(this.#parts, statement.facts, () => this.#returned(operation, bindings)),
    );
    counts.wrote();
    if (!statement.keepsSchema) schema.mayHaveChanged();
    state.wroteBy(statement);
    out.gaveRows(statement, columns);
    // SQLite counts changes of DML only.
    const [changes, rowid] = counts.last();
    out.counts(statement.dml ? changes : -1, rowid);
    if (mode === Mode.GET) {
      out.rows(rows.slice(0, 1), rows[0]?.length ?? 0, 0, flags);
      return Step.DONE;
    }
    return this.#begin(operation, new ThreadCursor(arraySource(rows), null, flags));
  }

  /** All rows of a statement that writes, and the flags with which they are to be sent. */
  #returned({ statement, values, flags }: Operation, bindings: unknown[]): Returned {
    const { handle, nativeStatements } = this.#parts;
    // Text that may not be UTF-8 is read by the companion, and is what it shall be then.
    const read =
      (flags & Flag.RAW_TEXT) !== 0
        ? nativeStatements.all(statement!, values, valueMode("bigint", flags))
        : null;
    if (read !== null) return { ...read, flags: flags & ~Flag.RAW_TEXT };
    return { rows: statement!.handle(handle.db).all(...bindings), columns: null, flags };
  }

  #run(statement: Statement, bindings: unknown[]): void {
    const { handle, out, state, schema, counts, changes, attachedFiles } = this.#parts;
    const info = changes.mutate(statement, () =>
      guardComparisons(this.#parts, statement.facts, () => statement.handle(handle.db).run(...bindings)),
    );
    if (!statement.readonly) counts.wrote();
    if (!statement.keepsSchema) schema.mayHaveChanged();
    if (statement.taint !== Taint.NONE) state.taintBy(statement.taint);
    if (statement.facts.setting === "ATTACH") attachedFiles.mayHaveChanged(handle.db);
    state.wroteBy(statement);
    counts.inserted(info.lastInsertRowid);
    out.done(statement.dml ? info.changes : -1, info.lastInsertRowid);
  }

  #open(cursor: ResultCursor, operation: Operation): number {
    const { statement, target, limit } = operation;
    const count = this.#answerWith(cursor, target, limit, this.#interruptedIn(operation));
    if (statement !== null) statement.lastRows = cursor.done ? count : Number.POSITIVE_INFINITY;
    return Step.DONE;
  }

  /** Answers with the first rows of a cursor, and keeps the cursor if it has more. */
  #answerWith(cursor: ResultCursor, id: number, limit: number, interrupted: () => boolean): number {
    try {
      return cursor.answer(this.#parts.out, limit, MORE_WAITING, interrupted);
    } catch (error) {
      cursor.close();
      throw error;
    } finally {
      if (!cursor.done) this.#parts.cursors.keep(id, cursor);
    }
  }

  /** The rows of a write are all sent: it is done, and its caller must not be told otherwise. */
  #interruptedIn({ statement }: Operation): () => boolean {
    return statement?.readonly === false ? () => false : this.#interrupted;
  }

  #stream(operation: Operation): number {
    const cursor = operation.cursor!;
    operation.at += cursor.answer(this.#parts.out, -1, MORE_COMING, this.#interruptedIn(operation));
    if (!cursor.done) return Step.MORE;
    operation.statement!.lastRows = operation.at;
    return Step.DONE;
  }

  #fetch(id: number, limit: number): number {
    const { out, cursors } = this.#parts;
    const cursor = cursors.get(id);
    if (cursor === undefined) {
      out.rows([], 0, 0, 0);
      return Step.DONE;
    }
    this.#transactions.require(cursor.flags);
    const more = limit < 0 ? MORE_COMING : MORE_WAITING;
    try {
      cursor.answer(out, limit, more, this.#interrupted);
    } catch (error) {
      this.release(id);
      throw error;
    }
    if (!cursor.done) return more === MORE_COMING ? Step.MORE : Step.DONE;
    cursors.forget(id);
    return Step.DONE;
  }

  #call(method: string, args: readonly unknown[], flags: number): number {
    this.#transactions.require(flags);
    if (method === "dump") {
      const [id, limit, filter] = args as [number, number, string | null];
      const cursor = new ThreadCursor(lineSource(dump(this.#parts.handle.db, filter)), 1, flags);
      this.#answerWith(cursor, id, limit, this.#interrupted);
      return Step.DONE;
    }
    this.#methods.call(method, args);
    return Step.DONE;
  }
}
