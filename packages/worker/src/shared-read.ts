import type { EngineDatabase, EngineStatement } from "./engine.js";
import type { Operation } from "./operation.js";
import type { Session } from "./session.js";
import type { Statement } from "./statements.js";
import { Flag, Mode, Op } from "./wire/protocol.js";

/** Up to so many rows a result is read in one call, if the one before was as small. */
export const SMALL_RESULT = 512;

/**
 * One read transaction for reads that wait behind each other: most of a read by key is the beginning and the end of its
 * own (1.8 us against 0.7). They see one state of the database, at a moment when all of them had been asked for and none
 * was answered.
 */
export class SharedRead {
  readonly #session: Session;
  #begin: EngineStatement | null = null;
  #commit: EngineStatement | null = null;
  #under = false;
  /** What is run, or was last. */
  #statement: Statement | null = null;
  /** A function of the caller's ran: what it may have done elsewhere is for the statements behind it to see. */
  #past = false;
  /** `total_changes()` at the beginning. */
  #before = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  open(db: EngineDatabase): void {
    this.#begin = db.prepare("BEGIN");
    this.#commit = db.prepare("COMMIT");
  }

  close(): void {
    this.#begin = this.#commit = null;
  }

  /** Before `operation` begins: begins the transaction if it may share one and `more` operations wait, or ends it. */
  before(operation: Operation, more: boolean): void {
    this.#statement = operation.statement;
    const shares = mayShare(operation);
    if (!shares || this.#past) this.end();
    if (shares && more && !this.#under) this.#open();
  }

  /** A function of the caller's is called, which may want the locks that the reads before it would still hold. */
  called(): void {
    this.#past = true;
    if (this.#statement !== null) this.#statement.callsOut = true;
  }

  #open(): void {
    const session = this.#session;
    if (this.#begin === null || session.inTransaction || session.executor.openCursors > 0) return;
    this.#before = session.countChanges();
    session.privately(() => this.#begin!.run());
    this.#under = true;
    this.#past = false;
  }

  /** Before anything is answered. */
  end(): void {
    if (!this.#under) return;
    this.#under = false;
    const session = this.#session;
    // A damaged file can have ended it, or does so now, which is no loss: unless a function of an extension wrote.
    if (!session.inTransaction) return;
    try {
      session.privately(() => this.#commit!.run());
    } catch (error) {
      if (session.inTransaction) session.privately(() => session.db.exec("ROLLBACK"));
      session.wrote();
      if (session.countChanges() !== this.#before) throw error;
    }
  }
}

/** A read that has been quick, belongs to no transaction, and is over when its call of the engine returns. */
function mayShare({ code, statement, mode, flags }: Operation): boolean {
  return (
    code === Op.QUERY &&
    (flags & Flag.IN_TRANSACTION) === 0 &&
    statement!.quick &&
    statement!.readonly &&
    statement!.reader &&
    !statement!.callsOut &&
    (mode === Mode.GET || (mode === Mode.ALL && statement!.lastRows <= SMALL_RESULT))
  );
}
