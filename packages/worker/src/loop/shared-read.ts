import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";
import { SMALL_RESULT } from "../handle/cursors.js";
import { type Operation, runAlone } from "../handle/operation.js";
import type { Session } from "../handle/session.js";
import type { Statement } from "../handle/statement.js";
import { Flag, Mode, Op } from "../wire/protocol.js";

const NONE: readonly Operation[] = [];

/**
 * One read transaction for reads that wait behind each other: most of a read by key is the beginning and the end of its
 * own (1.8 us against 0.7). They see one state of the database, at a moment when all of them had been asked for and none
 * was answered.
 */
export class SharedRead {
  readonly #session: Session;
  /** Its own statements, of the handle that was open when they were prepared. */
  #own: {
    readonly db: EngineDatabase;
    readonly begin: EngineStatement;
    readonly commit: EngineStatement;
  } | null = null;
  #under = false;
  /** What is run, or was last. */
  #statement: Statement | null = null;
  /** A function of the caller's ran: what it may have done elsewhere is for the statements behind it to see. */
  #past = false;
  /** What ran in it, and where in the reply the answers of that begin. */
  #members: Operation[] = [];
  #mark = 0;
  /** Of the schema that all of them see; null: not known. */
  #version: unknown = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The transaction is open. */
  get under(): boolean {
    return this.#under;
  }

  /**
   * Before `operation` begins: begins the transaction if it may share one and `more` operations wait, or ends it, with
   * what {@link end} gives.
   */
  before(operation: Operation, more: boolean): readonly Operation[] {
    const shares = mayShare(operation);
    if (!shares || this.#past) {
      const again = this.end();
      if (again.length > 0) return again;
    }
    this.#statement = operation.statement;
    if (shares) {
      if (!this.#under && (more || this.#session.out.isSealed(operation.statement))) this.#open();
      if (this.#under) this.#members.push(operation);
    }
    return NONE;
  }

  /** Whether `operation` may share the transaction that is open. */
  takes(operation: Operation): boolean {
    return this.#under && !this.#past && mayShare(operation);
  }

  /** It has run in the transaction that is open. */
  joined(operation: Operation): void {
    this.#members.push(operation);
  }

  /** A function of the caller's is called, which may want the locks that the reads before it would still hold. */
  called(): void {
    this.#past = true;
    if (this.#statement !== null) this.#statement.callsOut = true;
  }

  #open(): void {
    const session = this.#session;
    if (session.inTransaction) return;
    const { db } = session;
    if (this.#own?.db !== db) {
      this.#own = session.privately(() => ({ db, begin: db.prepare("BEGIN"), commit: db.prepare("COMMIT") }));
    }
    const { begin } = this.#own;
    session.privately(() => session.besideCursors(() => begin.run()));
    this.#under = true;
    this.#past = false;
    this.#mark = session.out.mark;
    this.#version = session.schema.version();
    session.out.reopen(this.#version);
  }

  /**
   * Before anything is answered. Gives the operations that have to be run again, each by itself, whose answers are taken
   * back: what only reads can be committed always, but a function of SQLite's or an extension's may have written, and
   * meet a lock now, or have met an error that ended the transaction.
   */
  end(): readonly Operation[] {
    if (!this.#under) return NONE;
    this.#under = false;
    const members = this.#members;
    this.#members = [];
    const session = this.#session;
    if (session.inTransaction) {
      try {
        session.privately(() => session.besideCursors(() => this.#own!.commit.run()));
        session.out.seal(this.#version);
        return NONE;
      } catch {
        if (session.inTransaction)
          session.privately(() => session.besideCursors(() => session.db.exec("ROLLBACK")));
      }
    }
    session.counts.wrote();
    session.out.rewind(this.#mark);
    for (const { mode, target } of members) if (mode === Mode.CURSOR) session.executor.release(target);
    runAlone(members);
    return members;
  }
}

/**
 * A read that has been quick and belongs to no transaction. Of a cursor, which goes on reading what it sees now, the
 * beginning.
 */
function mayShare({ code, statement, mode, flags, single }: Operation): boolean {
  return (
    code === Op.QUERY &&
    !single &&
    (flags & Flag.IN_TRANSACTION) === 0 &&
    statement!.quick &&
    statement!.readonly &&
    statement!.reader &&
    !statement!.callsOut &&
    (mode === Mode.GET || mode === Mode.CURSOR || (mode === Mode.ALL && statement!.lastRows <= SMALL_RESULT))
  );
}
