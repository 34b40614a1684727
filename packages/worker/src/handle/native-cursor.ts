import { BLOCK_END, BLOCK_REPREPARED, blockFlags, blockRows } from "../wire/row-block.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { Flag, type SqlValue } from "../wire/protocol.js";
import { LOCK_CODES } from "../engine/lock-codes.js";
import { chunkRows, PACKET_BYTES, type ResultCursor } from "./cursors.js";
import type { NativeStatement, NativeStatements } from "./native-statements.js";
import type { ReplyWriter } from "./reply-writer.js";
import type { Statement } from "./statement.js";

/** A result that the native companion steps and packs: its rows are no objects here. */
export class NativeCursor implements ResultCursor {
  readonly flags: number;
  readonly #statement: Statement;
  readonly #statements: NativeStatements;
  readonly #compiled: NativeStatement;
  #open = true;
  #failure: Error | null = null;
  /** Rows were handed out, so that it cannot be begun anew. */
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
    return !this.#open && this.#failure === null;
  }

  answer(out: ReplyWriter, limit: number, more: number): number {
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
    let block: ArrayBuffer;
    try {
      const mode = (this.flags & Flag.BIGINT) !== 0 ? "bigint" : out.integers;
      block = this.#statements.rows(this.#compiled, chunkRows(limit), PACKET_BYTES, mode);
    } catch (error) {
      // What met a lock before its first row can be tried again, as it is bound.
      if (this.#begun || !LOCK_CODES.has(codeOf(error))) this.close();
      throw error;
    }
    this.#begun = true;
    const flags = blockFlags(block);
    const renamed = (flags & BLOCK_REPREPARED) !== 0;
    out.gaveRows(this.#statement, this.#statements.columns(this.#compiled, renamed));
    if ((flags & BLOCK_END) !== 0) this.close();
    out.block(block, this.#open ? more : 0);
    return blockRows(block);
  }

  interrupt(): void {
    if (!this.#open) return;
    this.close();
    this.#failure = new UsageError("SQLITE_INTERRUPT", "interrupted");
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.giveBack(this.#statement, this.#compiled);
  }
}
