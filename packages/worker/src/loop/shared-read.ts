import type { EngineDatabase, EngineStatement } from "../engine/engine-api.js";
import { SMALL_RESULT } from "../handle/cursors/cursors.js";
import { type Operation, runAlone } from "../handle/operation.js";
import type { Executor } from "../handle/executor.js";
import type { SessionParts } from "../handle/session-parts.js";
import type { Statement } from "../handle/statement.js";
import { Flag, Mode, Op } from "../wire/protocol.js";

type SharedReadParts = Pick<SessionParts, "handle" | "out" | "schema" | "counts">;

const NONE: readonly Operation[] = [];

/**
 * One read transaction for reads that wait behind each other: most of a read by key is the beginning and the end of its
 * own (1.8 us against 0.7). They see one state of the database, at a moment when all of them had been asked for and none
 * was answered.
 */
export class SharedRead {
  readonly #parts: SharedReadParts;
  readonly #executor: Executor;
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

  constructor(parts: SharedReadParts, executor: Executor) {
    this.#parts = parts;
    this.#executor = executor;
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
      if (!this.#under && (more || this.#parts.out.isSealed(operation.statement))) this.#open();
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
    const { handle, out, schema } = this.#parts;
    if (handle.inTransaction) return;
    const { db } = handle;
    if (this.#own?.db !== db) {
      this.#own = handle.privately(() => ({ db, begin: db.prepare("BEGIN"), commit: db.prepare("COMMIT") }));
    }
    const { begin } = this.#own;
    handle.privately(() => handle.besideCursors(() => begin.run()));
    this.#under = true;
    this.#past = false;
    this.#mark = out.mark;
    this.#version = schema.version();
    out.reopen(this.#version);
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
    const { handle, out, counts } = this.#parts;
    if (handle.inTransaction) {
      try {
        handle.privately(() => handle.besideCursors(() => this.#own!.commit.run()));
        out.seal(this.#version);
        return NONE;
      } catch {
        if (handle.inTransaction)
          handle.privately(() => handle.besideCursors(() => handle.db.exec("ROLLBACK")));
      }
    }
    counts.wrote();
    out.rewind(this.#mark);
    for (const { mode, target } of members) if (mode === Mode.CURSOR) this.#executor.release(target);
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
