import type { Operation } from "../handle/operation.js";
import type { SessionParts } from "../handle/session-parts.js";
import { LOCK_CODES } from "../engine/lock-codes.js";
import { answerTells, commitsAlone, type Control, isMarked, openGroup } from "../wire/control-block.js";
import { codeOf, UsageError } from "../wire/fault.js";
import { Flag, Mode, Op } from "../wire/protocol.js";
import type { OwnTransaction } from "./own-transaction.js";

/** What has to be done at the end of a write. */
const Ends = {
  /** It is no write, or cannot be undone. */
  NOTHING: 0,
  /** SQLite commits it, and asks the native companion before. */
  GUARDED: 1,
  /** It runs in the caller's transaction. */
  CALLERS: 2,
  /** It runs in a transaction of the driver's. */
  OWN: 3,
} as const;

/** It has ended, but its caller had given it up before. */
class GivenUp extends UsageError {}

type LoneWriteParts = Pick<SessionParts, "handle" | "cursors" | "counts">;

/**
 * A write that runs by itself and whose caller may give it up meanwhile. It may end nevertheless: without the native
 * companion nothing can stop it, and with it nothing can while a function of the caller's runs. So it is undone at its
 * end: in a transaction with all of that transaction, as SQLite does when it interrupts a write. From its commit on, only
 * its answer tells its caller what happened.
 */
export class LoneWrite {
  readonly #session: LoneWriteParts;
  readonly #control: Control;
  readonly #own: OwnTransaction;
  #ends: number = Ends.NOTHING;
  /** Rows that were changed before the step. */
  #total = 0;
  /** The step has succeeded, and its transaction is being committed. */
  #committing = false;
  /** It runs again without a transaction of the driver's. */
  #bare: Operation | null = null;

  constructor(session: LoneWriteParts, control: Control, own: OwnTransaction) {
    this.#session = session;
    this.#control = control;
    this.#own = own;
  }

  /** Call it before a step of the operation. Throws if the caller has given the write up since an attempt before. */
  begin(operation: Operation): void {
    this.#committing = false;
    this.#ends = this.#endsOf(operation);
    if (this.#ends === Ends.GUARDED) commitsAlone(this.#control, operation.sequence);
    if (this.#ends < Ends.CALLERS || this.#session.handle.token !== 0) return;
    // The main side need not wait to learn that nothing will be kept.
    openGroup(this.#control, operation.sequence);
    this.#total = this.#session.counts.total();
    this.#refuseGivenUp(operation);
    if (this.#ends === Ends.OWN) this.#own.exec("begin");
  }

  /** Call it when the step has succeeded. Throws if the caller has given the write up, or if it cannot be committed. */
  end(operation: Operation): void {
    const ends = this.#ends;
    if (ends === Ends.NOTHING) return;
    if (ends === Ends.GUARDED) commitsAlone(this.#control, 0);
    answerTells(this.#control, operation.sequence);
    if (ends !== Ends.GUARDED) this.#refuseGivenUp(operation);
    this.#committing = true;
    if (ends === Ends.OWN) this.#own.commit(operation.sequence, false);
    this.#ends = Ends.NOTHING;
  }

  /** Call it when the companion has stopped at a write in the caller's transaction, which may have ended all the same. */
  stoppedInTransaction({ sequence, statement }: Operation): void {
    if (!statement!.readonly && isMarked(this.#control, sequence)) this.#own.rollBack();
  }

  #refuseGivenUp({ sequence }: Operation): void {
    if (isMarked(this.#control, sequence)) throw new GivenUp("SQLITE_INTERRUPT", "interrupted");
  }

  /**
   * Whether the operation was given up, and all that its transaction did is to be undone: not with the companion, if it
   * waited for a lock. SQLite has done that if it interrupted the operation, unless that was while it compiled it.
   */
  #isUndone({ sequence }: Operation, error: unknown): boolean {
    if (!isMarked(this.#control, sequence)) return false;
    if (this.#session.handle.token === 0 || error instanceof GivenUp) return true;
    return !LOCK_CODES.has(codeOf(error));
  }

  /**
   * Call it when the step, or {@link end}, has thrown `error`. True if the operation has to run again, by itself, as
   * SQLite alone knows what a violated constraint leaves: with FAIL, in the text, a table or a trigger, the rows before
   * the failure; nothing, and no changes, if it was deferred to the end. `total_changes()` does not tell: it leaves out
   * what a trigger did before it failed.
   */
  failed(operation: Operation, error: unknown): boolean {
    const ends = this.#ends;
    this.#ends = Ends.NOTHING;
    if (ends === Ends.GUARDED) commitsAlone(this.#control, 0);
    if (ends < Ends.CALLERS) return false;
    if (this.#session.handle.token === 0) answerTells(this.#control, operation.sequence);
    const givenUp = this.#isUndone(operation, error);
    const own = ends === Ends.OWN;
    const again = own && !givenUp && codeOf(error).startsWith("SQLITE_CONSTRAINT");
    if (again) this.#bare = operation;
    if (own && !givenUp && !this.#committing && !operation.statement!.facts.writes) this.#endBesideCursors();
    if (this.#session.handle.inTransaction && (own || givenUp)) this.#own.rollBack();
    if (own && (again || givenUp || this.#committing)) this.#session.counts.undone(this.#total);
    return again;
  }

  /**
   * SQLite undoes a statement that was to alter the schema, also in a transaction. But a ROLLBACK behind it would end the
   * half-read cursors.
   */
  #endBesideCursors(): void {
    const { handle, cursors } = this.#session;
    if (!handle.inTransaction || cursors.size === 0) return;
    try {
      this.#own.exec("commit");
    } catch {
      // Another connection reads. It is rolled back then.
    }
  }

  #endsOf(operation: Operation): number {
    const { code, statement, mode, flags, cursor } = operation;
    if (operation === this.#bare) return Ends.NOTHING;
    this.#bare = null;
    // A cursor sends the rows of a write that is done.
    if (code !== Op.QUERY || cursor !== null || mode === Mode.DESCRIBE || !statement!.facts.undoable)
      return Ends.NOTHING;
    const { token, inTransaction } = this.#session.handle;
    if (inTransaction || (statement!.facts.begins && (flags & Flag.BEGIN) !== 0)) return Ends.CALLERS;
    if ((flags & (Flag.IN_TRANSACTION | Flag.READ_ONLY)) !== 0) return Ends.NOTHING;
    return token === 0 ? Ends.OWN : Ends.GUARDED;
  }
}
