import type { EngineStatement } from "../engine/engine-api.js";
import type { Statement } from "./statement.js";
import { UsageError } from "../wire/fault.js";
import { sizeOf } from "../wire/row-encode.js";
import type { SqlValue } from "../wire/protocol.js";

/** Rows that are read as they are asked for. */
export interface RowSource {
  next(): IteratorResult<SqlValue[], unknown>;
  close(): void;
}

/** Up to so many rows a result is read in one call, if the one before was as small. */
export const SMALL_RESULT = 512;

/** Bounds of one packet: what the receiving loop builds in about a millisecond. */
export const PACKET_ROWS = 2048;
const PACKET_BYTES = 256 * 1024;

/** A result that is not read to its end. It reads one row ahead, so that the last chunk says that it is the last. */
export class ThreadCursor {
  readonly columns: number;
  readonly flags: number;
  readonly #source: RowSource;
  #ahead: IteratorResult<SqlValue[], unknown>;
  #open = true;
  /** What a step threw after rows that are still to be handed out. */
  #failure: Error | null = null;

  /** `flags` are those of the operation that opened it, `columns` null where the first row tells. Throws what the first step throws. */
  constructor(source: RowSource, columns: number | null, flags: number) {
    this.#source = source;
    this.flags = flags;
    this.#ahead = this.#step();
    this.columns = columns ?? (this.#ahead.done ? 0 : this.#ahead.value.length);
  }

  get done(): boolean {
    return this.#ahead.done === true && this.#failure === null;
  }

  /**
   * Up to `limit` rows (all, if negative), fewer where a packet is full. Throws what a step throws, and an error of
   * its own between two rows when `interrupted` says so; the cursor is closed then.
   */
  take(limit: number, interrupted: () => boolean): SqlValue[][] {
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
    const rows: SqlValue[][] = [];
    const most = limit < 0 ? PACKET_ROWS : Math.min(limit, PACKET_ROWS);
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

  /** Ends it with an error that the next {@link take} throws. */
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

/** Steps a statement; while it is open, the statement's handle is its own. */
export function statementSource(
  statement: Statement,
  handle: EngineStatement,
  bindings: unknown[],
): RowSource {
  const rows = handle.iterate(...bindings);
  statement.lend(handle);
  return {
    next: () => rows.next(),
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
