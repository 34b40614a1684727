import type { DatabaseHandle } from "../handle/database-handle.js";
import type { Operation } from "../handle/operation.js";
import { commitGroup, type Control, isMarked, openGroup } from "../wire/control-block.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { Flag, Mode, Op } from "../wire/protocol.js";
import { type OwnTransaction, UNDOES_ITSELF } from "./own-transaction.js";

/** What has to be done at the end of a write. */
const Ends = {
  /** It is no write, or cannot be undone. */
  NOTHING: 0,
  /** It is committed at once, and its caller learns that. */
  TELLS: 1,
  /** It runs in the caller's transaction. */
  CALLERS: 2,
  /** It runs in a transaction of the driver's. */
  OWN: 3,
} as const;

/**
 * A write that runs by itself and whose caller may give it up meanwhile. Without the native companion nothing can stop
 * the statement, so it is undone at its end: in a transaction with all of that transaction, as SQLite does when it
 * interrupts a write. From its commit on, only its answer tells its caller what happened.
 */
export class LoneWrite {
  readonly #handle: DatabaseHandle;
  readonly #control: Control;
  readonly #own: OwnTransaction;
  #ends: number = Ends.NOTHING;
  /** The step has succeeded, and its transaction is being committed. */
  #committing = false;
  /** It runs again without a transaction of the driver's. */
  #bare: Operation | null = null;

  constructor(handle: DatabaseHandle, control: Control, own: OwnTransaction) {
    this.#handle = handle;
    this.#control = control;
    this.#own = own;
  }

  /** Call it before a step of the operation. */
  begin(operation: Operation): void {
    this.#committing = false;
    this.#ends = this.#endsOf(operation);
    if (this.#ends < Ends.CALLERS) return;
    openGroup(this.#control, operation.sequence);
    if (this.#ends === Ends.OWN) this.#own.exec("begin");
  }

  /** Call it when the step has succeeded. Throws if the caller has given the write up, or if it cannot be committed. */
  end({ sequence }: Operation): void {
    const ends = this.#ends;
    if (ends === Ends.NOTHING) return;
    if (ends === Ends.TELLS) openGroup(this.#control, sequence);
    commitGroup(this.#control);
    if (ends !== Ends.TELLS && isMarked(this.#control, sequence))
      throw new UsageError("SQLITE_INTERRUPT", "interrupted");
    this.#committing = true;
    if (ends === Ends.OWN) this.#own.commit(sequence);
    this.#ends = Ends.NOTHING;
  }

  /**
   * Call it when the step, or {@link end}, has thrown `error`. True if the operation has to run again: its deferred
   * constraints do not hold at its end, and SQLite then counts no changes for a statement that commits itself.
   */
  failed(operation: Operation, error: unknown): boolean {
    const ends = this.#ends;
    this.#ends = Ends.NOTHING;
    if (ends < Ends.CALLERS) return false;
    const givenUp = isMarked(this.#control, operation.sequence);
    const own = ends === Ends.OWN;
    const again = own && !givenUp && this.#committing && codeOf(error).startsWith("SQLITE_CONSTRAINT");
    if (again) this.#bare = operation;
    else if (own && !givenUp && !this.#committing && UNDOES_ITSELF.has(codeOf(error)))
      this.#keep(operation.sequence);
    if (this.#handle.inTransaction && (own || givenUp)) this.#own.rollBack();
    return again;
  }

  /** Commits what a failed statement leaves: with OR FAIL the rows before the failure, else nothing. */
  #keep(sequence: number): void {
    try {
      if (this.#handle.inTransaction) this.#own.commit(sequence);
    } catch {
      // Rolled back then.
    }
  }

  #endsOf(operation: Operation): number {
    const { code, statement, mode, flags, cursor } = operation;
    if (operation === this.#bare) return Ends.NOTHING;
    this.#bare = null;
    // A cursor sends the rows of a write that is done.
    if (code !== Op.QUERY || cursor !== null || mode === Mode.DESCRIBE || !statement!.facts.undoable)
      return Ends.NOTHING;
    const { token, inTransaction } = this.#handle;
    if (token !== 0) return statement!.facts.returns && !inTransaction ? Ends.TELLS : Ends.NOTHING;
    if (inTransaction || (statement!.facts.begins && (flags & Flag.BEGIN) !== 0)) return Ends.CALLERS;
    return (flags & (Flag.IN_TRANSACTION | Flag.READ_ONLY)) === 0 ? Ends.OWN : Ends.NOTHING;
  }
}
