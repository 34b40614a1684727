import type { Session } from "./session.js";
import { UsageError } from "../wire/fault.js";
import { Flag, Verb } from "../wire/protocol.js";

const BEGIN_SQL = ["", "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"];

/** Begins, commits and rolls back, as the state of the handle has it, which only the thread knows. */
export class TransactionControl {
  readonly #session: Session;
  readonly #closeCursors: () => void;

  constructor(session: Session, closeCursors: () => void) {
    this.#session = session;
    this.#closeCursors = closeCursors;
  }

  run(verb: number, argument: number): void {
    const { db, out } = this.#session;
    const open = db.inTransaction;
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
        this.#closeCursors();
        if (verb === Verb.SETTLE) this.#session.settle();
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

  /** Deferred constraints and other processes can make COMMIT fail; the transaction must not stay behind. */
  #finish(open: boolean): void {
    if (!open) throw transactionOver();
    try {
      this.exec("COMMIT");
    } catch (error) {
      if (this.#session.mayRetry(error)) throw error;
      if (this.#session.db.inTransaction) this.#undo();
      throw error;
    }
  }

  /** What belongs to a transaction must not be run, and so committed, without it. */
  require(flags: number): void {
    if ((flags & Flag.IN_TRANSACTION) !== 0 && !this.#session.db.inTransaction) throw transactionOver();
  }

  /** The BEGIN that `flags` asks for before a DML statement outside a transaction. */
  beginFor(flags: number): void {
    const begin = flags & Flag.BEGIN;
    if (begin === 0 || this.#session.db.inTransaction) return;
    this.exec(BEGIN_SQL[begin]!);
    this.#session.transactionWasOpen = true;
  }

  /** What the next caller is owed is for no authorizer to deny. */
  #undo(): void {
    this.#session.privately(() => this.exec("ROLLBACK"));
  }

  exec(sql: string): void {
    this.#session.trace(null, [], sql);
    this.#session.mutate(null, () => this.#session.db.exec(sql));
  }
}

/** Throws if a statement that ends a transaction comes from inside a `transaction()`. */
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
