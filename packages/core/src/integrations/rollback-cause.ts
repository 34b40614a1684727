import { SqliteError } from "../errors/errors.js";
import { isInstance } from "../errors/is-instance.js";
import { aborted, isAborted } from "./refusals.js";

/** Remembers why SQLite has rolled a transaction back, for those of its statements that are refused. */
export class RollbackCause {
  #cause: unknown = undefined;

  /** The error to throw for one of a statement. It says that the transaction is lost, and why. */
  told(error: unknown): unknown {
    if (!isInstance(error, SqliteError)) return error;
    // Otherwise later statements would be committed on their own.
    if (error.code === "SQLITE_ABORT_ROLLBACK" && !isAborted(error)) return aborted(this.#cause ?? error);
    if (error.rolledBack) this.#cause ??= error;
    return error;
  }

  forget(): void {
    this.#cause = undefined;
  }
}
