import type { EngineStatement } from "../../engine/engine-api.js";
import type { Comparisons } from "../../functions/comparisons.js";
import type { ReplyWriter } from "../reply-writer.js";
import type { Statement } from "../statement.js";
import { UsageError } from "../../wire/fault.js";
import { sizeOf } from "../../wire/rows/row-encode.js";
import type { SqlValue } from "../../wire/protocol.js";

/** Rows, read on demand. */
export interface RowSource {
  next(): IteratorResult<SqlValue[], unknown>;
  close(): void;
}

/** A result of up to this many rows is read in one call, if the previous result was as small. */
export const SMALL_RESULT = 512;

/** Limits of one packet: what the main side builds in about a millisecond. */
const PACKET_ROWS = 2048;
export const PACKET_BYTES = 256 * 1024;

/** Memory of an array besides its values, in bytes. */
const ROW_BYTES = 16;

/** Maximum rows of one answer for a limit; a negative limit means all. */
export function chunkRows(limit: number): number {
  return limit < 0 ? PACKET_ROWS : Math.min(limit, PACKET_ROWS);
}

/** A result that was not read to its end. */
export interface ResultCursor {
  /** The flags of the operation that opened it. */
  readonly flags: number;
  /** It has no more rows. */
  readonly done: boolean;
  /**
   * Answers with up to `limit` rows (all if negative), fewer if a packet is full, and with `more` unless these are the
   * last. Returns their number. Throws what a step throws. If `interrupted` says so between two rows, closes the cursor
   * and throws.
   */
  answer(out: ReplyWriter, limit: number, more: number, interrupted: () => boolean): number;
  /**
   * Reads the remaining rows into memory, up to `bytes`, so that the engine is no longer iterating. False if there are
   * more; the cursor continues behind them later.
   */
  readRest(bytes: number): boolean;
  /** Ends the cursor with an error that the next {@link answer} throws. */
  interrupt(): void;
  close(): void;
}

/** A result that is read through the engine. It reads one row ahead, so that the last chunk is known to be the last. */
export class ThreadCursor implements ResultCursor {
  readonly columns: number;
  readonly flags: number;
  #source: RowSource;
  #ahead: IteratorResult<SqlValue[], unknown>;
  #open = true;
  /** An error of a step, thrown after the rows before it. */
  #failure: Error | null = null;

  /**
   * `flags` are those of the operation that opened it. `columns` is null if the first row shows it. Throws what the
   * first step throws.
   */
  constructor(source: RowSource, columns: number | null, flags: number) {
    this.#source = source;
    this.flags = flags;
    this.#ahead = this.#step();
    this.columns = columns ?? (this.#ahead.done ? 0 : this.#ahead.value.length);
  }

  get done(): boolean {
    return this.#ahead.done === true && this.#failure === null;
  }

  answer(out: ReplyWriter, limit: number, more: number, interrupted: () => boolean): number {
    const rows = this.#take(limit, interrupted);
    out.rows(rows, this.columns, this.done ? 0 : more, this.flags);
    return rows.length;
  }

  #take(limit: number, interrupted: () => boolean): SqlValue[][] {
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
    const rows: SqlValue[][] = [];
    const most = chunkRows(limit);
    let bytes = 0;
    while (rows.length < most && bytes < PACKET_BYTES && this.#ahead.done !== true) {
      const row = this.#ahead.value;
      rows.push(row);
      if (interrupted()) {
        this.close();
        throw new UsageError("SQLITE_INTERRUPT", "interrupted");
      }
      for (let c = 0; c < row.length; c++) bytes += sizeOf(row[c]!);
      try {
        this.#ahead = this.#step();
      } catch (error) {
        this.#failure = error as Error;
      }
    }
    return rows;
  }

  readRest(bytes: number): boolean {
    if (!this.#open) return true;
    const source = this.#source;
    const rows: SqlValue[][] = [];
    const rest = arraySource(rows);
    try {
      for (let left = bytes; left > 0; ) {
        const step = source.next();
        if (step.done === true) {
          source.close();
          this.#source = rest;
          return true;
        }
        rows.push(step.value);
        left -= ROW_BYTES;
        for (const value of step.value) left -= sizeOf(value);
      }
    } catch (error) {
      source.close();
      this.#source = chained(rest, failing(error));
      return true;
    }
    this.#source = chained(rest, source);
    return false;
  }

  interrupt(): void {
    if (!this.#open) return;
    this.close();
    this.#failure = new UsageError("SQLITE_INTERRUPT", "interrupted");
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ahead = { done: true, value: undefined };
    this.#failure = null;
    this.#source.close();
  }

  #step(): IteratorResult<SqlValue[], unknown> {
    try {
      const result = this.#source.next();
      if (result.done === true) this.close();
      return result;
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

/** Steps a statement. While it is open, it has the statement's handle to itself. */
export function statementSource(
  statement: Statement,
  handle: EngineStatement,
  bindings: unknown[],
  comparisons: Comparisons,
): RowSource {
  const rows = handle.iterate(...bindings);
  statement.lend(handle);
  return {
    next: () => {
      const step = rows.next();
      comparisons.check();
      return step;
    },
    close: () => {
      statement.giveBack(handle);
      rows.return?.();
    },
  };
}

/** Rows that are in memory already. */
export function arraySource(rows: SqlValue[][]): RowSource {
  let at = 0;
  return {
    next: () => (at < rows.length ? { done: false, value: rows[at++]! } : { done: true, value: undefined }),
    close: () => {
      at = rows.length;
    },
  };
}

/** The rows of `first`, then those of `second`. */
function chained(first: RowSource, second: RowSource): RowSource {
  return {
    next: () => {
      const step = first.next();
      return step.done === true ? second.next() : step;
    },
    close: () => {
      first.close();
      second.close();
    },
  };
}

/** No rows, but an error. */
function failing(error: unknown): RowSource {
  return {
    next: () => {
      throw error;
    },
    close: () => {},
  };
}

/** One row of one text column for each line. */
export function lineSource(lines: Generator<string>): RowSource {
  return {
    next: () => {
      const line = lines.next();
      return line.done === true ? { done: true, value: undefined } : { done: false, value: [line.value] };
    },
    close: () => void lines.return(undefined),
  };
}
