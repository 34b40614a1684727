import type { ColumnOf } from "../../engine/native.js";
import type { Slot } from "../../wire/rows/block-slots.js";
import type { IntegerMode } from "../../wire/integers.js";
import {
  BLOCK_END,
  BLOCK_REPREPARED,
  blockFlags,
  blockRows,
  type RowBlock,
} from "../../wire/rows/row-block.js";
import { codeOf, UsageError } from "../../wire/fault.js";
import type { SqlValue } from "../../wire/protocol.js";
import { LOCK_CODES } from "../../engine/lock-codes.js";
import { chunkRows, PACKET_BYTES, type ResultCursor } from "./cursors.js";
import { type NativeStatement, type NativeStatements, valueMode } from "../native-statements.js";
import type { ReplyWriter } from "../reply-writer.js";
import type { Statement } from "../statement.js";

interface Chunk {
  readonly block: RowBlock;
  readonly columns: readonly ColumnOf[];
}

/** A result that the native companion steps and packs. Its rows are not objects in this thread. */
export class NativeCursor implements ResultCursor {
  readonly flags: number;
  readonly #statement: Statement;
  readonly #statements: NativeStatements;
  readonly #compiled: NativeStatement;
  #open = true;
  #failure: Error | null = null;
  /** Chunks that were read before they were requested. */
  readonly #ahead: Chunk[] = [];
  /** Limit and integer mode of the last request. */
  #limit = -1;
  #integers: IntegerMode = "auto";
  /** Rows were returned, so it cannot start over. */
  #begun = false;

  /** `flags` are those of the operation that opened it. Throws what binding throws. */
  constructor(
    statements: NativeStatements,
    statement: Statement,
    compiled: NativeStatement,
    values: SqlValue[],
    flags: number,
  ) {
    this.#statements = statements;
    this.#statement = statement;
    this.#compiled = compiled;
    this.flags = flags;
    try {
      statements.bind(compiled, values);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get done(): boolean {
    return !this.#open && this.#ahead.length === 0 && this.#failure === null;
  }

  answer(out: ReplyWriter, limit: number, more: number): number {
    const { block, columns } = this.#ahead.shift() ?? this.#read(limit, out.integers, out.freeSlot());
    out.gaveRows(this.#statement, columns);
    out.block(block, this.done ? 0 : more);
    return blockRows(block);
  }

  /** Answers with the first row, and ends. */
  answerFirst(out: ReplyWriter): void {
    try {
      const { block, columns } = this.#read(1, out.integers, null, true);
      out.gaveRows(this.#statement, columns);
      out.block(block, 0);
    } finally {
      this.close();
    }
  }

  readRest(bytes: number): boolean {
    try {
      for (let left = bytes; this.#open && left > 0; ) {
        const chunk = this.#read(this.#limit, this.#integers, null);
        this.#ahead.push(chunk);
        left -= chunk.block.byteLength;
      }
    } catch (error) {
      this.#end();
      this.#failure = error as Error;
    }
    return !this.#open;
  }

  #read(limit: number, integers: IntegerMode, slot: Slot | null, only = false): Chunk {
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
    this.#limit = limit;
    this.#integers = integers;
    let block: RowBlock;
    try {
      const mode = valueMode(integers, this.flags);
      block = this.#statements.rows(this.#compiled, chunkRows(limit), PACKET_BYTES, mode, slot, only);
    } catch (error) {
      // If it met a lock before the first row, it stays bound and can be retried.
      if (this.#begun || !LOCK_CODES.has(codeOf(error))) this.#end();
      throw error;
    }
    this.#begun = true;
    const flags = blockFlags(block);
    const columns = this.#statements.columns(this.#compiled, (flags & BLOCK_REPREPARED) !== 0);
    if ((flags & BLOCK_END) !== 0) this.#end();
    return { block, columns };
  }

  interrupt(): void {
    if (this.done) return;
    this.close();
    this.#failure = new UsageError("SQLITE_INTERRUPT", "interrupted");
  }

  close(): void {
    this.#ahead.length = 0;
    this.#failure = null;
    this.#end();
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.giveBack(this.#statement, this.#compiled);
  }
}
