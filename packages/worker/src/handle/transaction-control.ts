import type { SessionParts } from "./session-parts.js";
import { UsageError } from "../wire/fault.js";
import { Flag, Verb } from "../wire/protocol.js";

const BEGIN_SQL = ["", "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"];

type TransactionParts = Pick<
  SessionParts,
  "handle" | "cursors" | "blobs" | "out" | "state" | "lockWait" | "changes" | "trace"
>;

/** Begins, commits and rolls back. Some verbs depend on the state of the handle, which only the thread knows. */
export class TransactionControl {
  readonly #parts: TransactionParts;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  run(verb: number, argument: number): void {
    const { handle, out } = this.#parts;
    const open = handle.db.inTransaction;
    switch (verb) {
      case Verb.BEGIN:
        this.exec(BEGIN_SQL[argument]!);
        break;
      case Verb.COMMIT:
        if (open) this.exec("COMMIT");
        break;
      case Verb.ROLLBACK:
        if (open) this.exec("ROLLBACK");
        break;
      case Verb.COMMIT_AND_BEGIN:
        this.exec("COMMIT");
        this.exec("BEGIN");
        break;
      case Verb.ROLLBACK_AND_BEGIN:
        this.exec("ROLLBACK");
        this.exec("BEGIN");
        break;
      case Verb.ENSURE:
        if (!open) this.exec("BEGIN");
        break;
      case Verb.FINISH:
        this.#finish(open);
        break;
      case Verb.SCRUB:
      case Verb.SETTLE:
        if (open) this.#undo();
        this.#parts.cursors.closeAll();
        this.#parts.blobs.closeAll();
        if (verb === Verb.SETTLE) this.#parts.state.settle();
        break;
      case Verb.SAVEPOINT:
        this.require(Flag.IN_TRANSACTION);
        this.exec(`SAVEPOINT "sqlite_aio_${argument}"`);
        break;
      case Verb.RELEASE:
        this.require(Flag.IN_TRANSACTION);
        this.exec(`RELEASE "sqlite_aio_${argument}"`);
        break;
      case Verb.ROLLBACK_TO:
        if (open) this.exec(`ROLLBACK TO "sqlite_aio_${argument}"; RELEASE "sqlite_aio_${argument}"`);
        break;
      default:
        break;
    }
    out.value(open);
  }

  /** Deferred constraints and other processes can make COMMIT fail. Then the transaction must not stay open. */
  #finish(open: boolean): void {
    if (!open) throw transactionOver();
    try {
      this.exec("COMMIT");
    } catch (error) {
      if (this.#parts.lockWait.mayRetry(error)) throw error;
      if (this.#parts.handle.db.inTransaction) this.#undo();
      throw error;
    }
  }

  /** Throws for an operation of a transaction that is over: it would run, and be committed, on its own. */
  require(flags: number): void {
    if ((flags & Flag.IN_TRANSACTION) !== 0 && !this.#parts.handle.db.inTransaction) throw transactionOver();
  }

  /** Runs the BEGIN that `flags` asks for before a DML statement outside a transaction. */
  beginFor(flags: number): void {
    const begin = flags & Flag.BEGIN;
    if (begin === 0 || this.#parts.handle.db.inTransaction) return;
    this.exec(BEGIN_SQL[begin]!);
    this.#parts.handle.noteTransaction();
  }

  /** An authorizer must not be able to deny this ROLLBACK. */
  #undo(): void {
    const { handle } = this.#parts;
    handle.privately(() => {
      if (handle.inTransaction) this.exec("ROLLBACK");
    });
  }

  exec(sql: string): void {
    const { handle, trace, changes } = this.#parts;
    trace.text(sql);
    changes.mutate(null, () => handle.db.exec(sql));
  }
}

/** Throws if a statement would end the transaction of a `transaction()`. */
export function refuseEnding(flags: number): void {
  if ((flags & Flag.IN_TRANSACTION) === 0) return;
  throw new UsageError(
    "TRANSACTION",
    "a transaction() ends when its callback does: return to commit, throw to roll back",
  );
}

function transactionOver(): UsageError {
  return new UsageError(
    "SQLITE_ABORT_ROLLBACK",
    "the transaction was rolled back after an earlier error, nothing more of it is run",
  );
}
