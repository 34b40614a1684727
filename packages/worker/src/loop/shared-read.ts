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
 * One read transaction for several waiting reads. BEGIN and COMMIT are most of a read by key (1.8 us against 0.7). All
 * reads see the same state of the database, at a moment when all of them had been requested and none was answered.
 */
export class SharedRead {
  readonly #parts: SharedReadParts;
  readonly #executor: Executor;
  /** Its prepared statements, and the handle that they belong to. */
  #own: {
    readonly db: EngineDatabase;
    readonly begin: EngineStatement;
    readonly commit: EngineStatement;
  } | null = null;
  #under = false;
  /** The running statement, or the last one. */
  #statement: Statement | null = null;
  /** A user function has run. Statements behind it must see what the function may have done on other connections. */
  #past = false;
  /** The operations that ran in the transaction, and the position of their first answer. */
  #members: Operation[] = [];
  #mark = 0;
  /** The schema version that all of them see; null if unknown. */
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
   * Call it before `operation` begins. Begins the transaction if `operation` may share one and `more` operations wait;
   * otherwise ends it, and returns what {@link end} returns.
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

  /** Whether `operation` may share the open transaction. */
  takes(operation: Operation): boolean {
    return this.#under && !this.#past && mayShare(operation);
  }

  /** Notes that `operation` has run in the open transaction. */
  joined(operation: Operation): void {
    this.#members.push(operation);
  }

  /** A user function is called. It may need locks that the earlier reads would still hold. */
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
   * Ends the transaction. Call it before any answer leaves. Returns operations whose answers were removed and that must
   * run again, each by itself. A pure read can always be committed, but a function of SQLite's or an extension's may
   * have written. Then COMMIT can meet a lock, or an error has ended the transaction already.
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

/** A quick read outside of a transaction. For a cursor, which keeps its snapshot, this is only the first chunk. */
export function mayShare({ code, statement, mode, flags, single }: Operation): boolean {
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
