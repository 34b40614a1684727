import { type NativeStatement, valueMode } from "../handle/native-statements.js";
import type { Operation } from "../handle/operation.js";
import type { SessionParts } from "../handle/session-parts.js";
import type { Statement } from "../handle/statement.js";
import { Taint } from "../sql/taint.js";
import { nextSequence } from "../wire/control-block.js";
import { Flag, Mode, type SqlValue } from "../wire/protocol.js";
import type { TextBuffer } from "../wire/text-buffer.js";

type PointsParts = Pick<SessionParts, "nativeStatements" | "out" | "counts" | "state">;

/** Maximum number of statements in one call of the native companion. */
const MAX_STATEMENTS = 512;
/** A result with more rows is sent as a packet instead. */
const MAX_ROWS = 64;

const INPUT = 4096;
const INPUT_BYTES = 64 * 1024;
const CELLS = 8 * 1024;
const TEXT_BYTES = 128 * 1024;

/** Constants of the native companion's `src/points.h`. */
const Tag = { NULL: 0, NUMBER: 1, INT64: 2, TEXT: 3, BLOB: 4, UTF8: 5 } as const;
const Head = { DONE: 0, AT: 1, BYTES: 2, STEPPED: 3, CODE: 4, MESSAGE: 5, CELLS: 6 } as const;
const Status = { ROWS: 0, NEW_ROWS: 1, WROTE: 2 } as const;
/** The row limit of a statement that writes. */
const WRITES = 0;

const NONE: readonly Operation[] = [];

/** The result of one call. */
export interface PointsOutcome {
  /** These operations are answered. */
  readonly done: readonly Operation[];
  /** This operation failed with `error`. It is not answered, and must not run again. */
  readonly failed: Operation | null;
  readonly error: unknown;
  /**
   * These operations were not run. After a failure another {@link Points.run} runs them; otherwise they run later or in
   * another way.
   */
  readonly rest: readonly Operation[];
}

/**
 * Runs small waiting statements in one call of the native companion. Otherwise half of each statement's time in the
 * thread would be spent on crossing into C++ and back.
 */
export class Points {
  readonly #session: PointsParts;
  readonly #input = new Float64Array(INPUT);
  readonly #inputIntegers = new BigInt64Array(this.#input.buffer);
  readonly #bytes = Buffer.alloc(INPUT_BYTES) as TextBuffer;
  readonly #cells = new Float64Array(CELLS);
  readonly #cellIntegers = new BigInt64Array(this.#cells.buffer);
  readonly #tags = new Uint8Array(CELLS);
  readonly #text = Buffer.alloc(TEXT_BYTES) as TextBuffer;
  /** Operations that must run in another way: the result was larger than expected, or it failed. */
  readonly #refused = new WeakSet<Operation>();
  #operations: Operation[] = [];
  #compiled: NativeStatement[] = [];
  /** Positions in the input: of the next operation, and of the first. */
  #at = 0;
  #byteAt = 0;
  #from = 0;
  #byteFrom = 0;
  /** Positions in the answers. */
  #cell = 0;
  #textAt = 0;

  constructor(session: PointsParts) {
    this.#session = session;
  }

  /** Adds a read to the next {@link run}. False if it is not suitable. */
  addRead(operation: Operation): boolean {
    const { statement, mode, limit } = operation;
    // SQLite counts BEGIN and COMMIT as read-only, too.
    if (!statement!.reader || !statement!.readonly) return false;
    switch (mode) {
      case Mode.GET:
        return this.#add(operation, 1);
      // A result that turns out to be larger is noticed. One that was large last time is not tried.
      case Mode.ALL:
        return statement!.lastRows <= MAX_ROWS && this.#add(operation, MAX_ROWS);
      case Mode.CURSOR:
        return (
          limit >= 2 && statement!.lastRows <= MAX_ROWS && this.#add(operation, Math.min(limit, MAX_ROWS))
        );
      default:
        return false;
    }
  }

  /** Adds a write that returns no rows to the next {@link run}. */
  addWrite(operation: Operation): boolean {
    const { statement, mode, flags } = operation;
    if (!statement!.dml || statement!.reader || mode === Mode.DESCRIBE) return false;
    return (flags & Flag.READ_ONLY) === 0 && this.#add(operation, WRITES);
  }

  #add(operation: Operation, most: number): boolean {
    const { statement, flags, values } = operation;
    const operations = this.#operations;
    if (operation.timed || operation.skipped || this.#refused.has(operation)) return false;
    if (statement!.taint !== Taint.NONE) return false;
    if (operations.length > 0) {
      const { sequence } = operations[operations.length - 1]!;
      if (operations.length === MAX_STATEMENTS || operation.sequence !== nextSequence(sequence)) return false;
    }
    const compiled = this.#session.nativeStatements.idle(statement!);
    if (compiled === null || this.#at + 4 + 2 * values.length > INPUT) return false;
    const [at, byteAt] = [this.#at, this.#byteAt];
    const input = this.#input;
    input[this.#at++] = compiled.id;
    input[this.#at++] = most;
    input[this.#at++] = valueMode(this.#session.out.integers, most === WRITES ? 0 : flags);
    input[this.#at++] = values.length;
    for (const value of values) {
      if (this.#put(value)) continue;
      this.#at = at;
      this.#byteAt = byteAt;
      return false;
    }
    operations.push(operation);
    this.#compiled.push(compiled);
    return true;
  }

  /** Adds a parameter to the input; false if there is no room. */
  #put(value: SqlValue): boolean {
    const at = this.#at;
    this.#at += 2;
    switch (typeof value) {
      case "number":
        this.#input[at] = Tag.NUMBER;
        this.#input[at + 1] = value;
        return true;
      case "bigint":
        this.#input[at] = Tag.INT64;
        this.#inputIntegers[at + 1] = value;
        return true;
      case "string": {
        if (value.length * 3 > INPUT_BYTES - this.#byteAt) return false;
        const length = this.#bytes.utf8Write(value, this.#byteAt);
        this.#input[at] = Tag.TEXT;
        this.#input[at + 1] = length;
        this.#byteAt += length;
        return true;
      }
      default:
        if (value === null) {
          this.#input[at] = Tag.NULL;
          this.#input[at + 1] = 0;
          return true;
        }
        if (value.byteLength > INPUT_BYTES - this.#byteAt) return false;
        this.#bytes.set(value, this.#byteAt);
        this.#input[at] = Tag.BLOB;
        this.#input[at + 1] = value.byteLength;
        this.#byteAt += value.byteLength;
        return true;
    }
  }

  /** Number of operations that were added but not run. */
  get waiting(): number {
    return this.#operations.length;
  }

  /** Removes the added operations. */
  clear(): void {
    this.#operations = [];
    this.#compiled = [];
    this.#at = this.#byteAt = this.#from = this.#byteFrom = 0;
  }

  /**
   * Runs and answers the added operations; there must be at least one. `took` gets each one's duration. Stops after the
   * operation that ends behind `ms` milliseconds.
   */
  run(ms: number, took: (statement: Statement, ms: number) => void): PointsOutcome {
    const [operations, compiled, cells] = [this.#operations, this.#compiled, this.#cells];
    let error: unknown;
    try {
      this.#session.nativeStatements.runPoints(
        operations.length,
        this.#input,
        this.#from,
        this.#bytes,
        this.#byteFrom,
        cells,
        this.#tags,
        this.#text,
        operations[0]!.sequence,
        ms,
      );
    } catch (thrown) {
      // The error appears again when the operation runs by itself, which is safe: it has not run, or only reads.
      error = thrown;
    }
    const done = cells[Head.DONE]!;
    this.#cell = Head.CELLS;
    this.#textAt = 0;
    for (let i = 0; i < done; i++) {
      took(operations[i]!.statement!, cells[this.#cell + 1]!);
      this.#answer(operations[i]!, compiled[i]!);
    }
    if (done === operations.length) {
      this.clear();
      return { done: operations, failed: null, error: undefined, rest: NONE };
    }
    const rest = operations.splice(done);
    if (cells[Head.STEPPED] === 0) {
      this.clear();
      this.#refused.add(rest[0]!);
      return { done: operations, failed: null, error: undefined, rest };
    }
    const failed = rest.shift()!;
    this.#refused.add(failed);
    this.#operations = [...rest];
    this.#compiled = compiled.slice(done + 1);
    this.#from = cells[Head.AT]!;
    this.#byteFrom = cells[Head.BYTES]!;
    return { done: operations, failed, error: error ?? this.#failure(), rest };
  }

  /** A plain object in place of an Error, whose stack trace would cost ten times as much as the statement. */
  #failure(): unknown {
    const from = this.#textAt + this.#cells[Head.CODE]!;
    const code = this.#text.latin1Slice(this.#textAt, from);
    const message = this.#text.utf8Slice(from, from + this.#cells[Head.MESSAGE]!);
    return { name: "SqliteError", code, message, stack: `SqliteError: ${message}` };
  }

  #answer({ statement, mode }: Operation, compiled: NativeStatement): void {
    const session = this.#session;
    const status = this.#cells[this.#cell];
    const first = this.#cells[this.#cell + 2]!;
    this.#cell += 3;
    if (status === Status.WROTE) {
      const rowid = this.#value() as number | bigint;
      session.counts.wrote();
      session.state.wroteBy(statement!);
      session.counts.inserted(rowid);
      session.out.done(first, rowid);
      return;
    }
    const columns = this.#cells[this.#cell++]!;
    const names = session.nativeStatements.columns(compiled, status === Status.NEW_ROWS);
    session.out.gaveRows(statement!, names);
    session.out.cells(first, first === 0 ? 0 : columns, this.#value);
    if (mode !== Mode.GET) statement!.lastRows = first;
  }

  /** Reads the next value of the answers. */
  readonly #value = (): SqlValue => {
    const cell = this.#cell++;
    const value = this.#cells[cell]!;
    switch (this.#tags[cell]) {
      case Tag.NULL:
        return null;
      case Tag.NUMBER:
        return value;
      case Tag.INT64:
        return this.#cellIntegers[cell]!;
      case Tag.TEXT:
        return this.#text.latin1Slice(this.#textAt, (this.#textAt += value));
      case Tag.UTF8:
        return this.#text.utf8Slice(this.#textAt, (this.#textAt += value));
      default: {
        const blob = new Uint8Array(value);
        blob.set(this.#text.subarray(this.#textAt, (this.#textAt += value)));
        return blob;
      }
    }
  };
}
