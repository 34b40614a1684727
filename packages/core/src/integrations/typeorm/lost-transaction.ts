import { factsOf } from "@sqlite-aio/worker/sql";
import { SqliteError } from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";
import { aborted } from "../refusals.js";

/**
 * Knows whether SQLite has rolled back the transaction of the statements that TypeORM sends. TypeORM hears an error, but
 * goes on in a transaction that is not there: each further statement would be committed on its own. A ROLLBACK ends this
 * state.
 */
export class LostTransaction {
  #cause: SqliteError | null = null;

  /**
   * Runs a statement by `work`. Undefined if there is nothing left to roll back. Throws, without running anything, for
   * other statements of a lost transaction.
   */
  async run<T>(sql: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#cause !== null) {
      const verb = factsOf(sql).transaction?.verb;
      // The savepoints are gone too, and TypeORM counts them down one by one.
      if (verb === "rollback to") return undefined;
      if (verb !== "rollback" && verb !== "begin") throw aborted(this.#cause);
      this.#cause = null;
      if (verb === "rollback") return undefined;
    }
    try {
      return await work();
    } catch (error) {
      if (isInstance(error, SqliteError) && error.rolledBack) this.#cause = error;
      throw error;
    }
  }
}
