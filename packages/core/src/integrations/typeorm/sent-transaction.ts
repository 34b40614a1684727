import { factsOf } from "@sqlite-aio/worker/sql";
import type { Connection } from "../../connection/connection.js";
import type { SharedTransaction } from "../../connection/transaction.js";
import { isAborted, refuseSeveral } from "../refusals.js";
import { RollbackCause } from "../rollback-cause.js";
import { Savepoints } from "../savepoints.js";

/**
 * The transaction of the statements that TypeORM sends, with BEGIN, COMMIT and ROLLBACK among them. TypeORM goes on in a
 * transaction that SQLite has rolled back: each further statement would be committed on its own. So the thread refuses
 * them, also those that were on their way already, until a ROLLBACK or another BEGIN.
 */
export class SentTransaction {
  readonly #connection: Connection;
  readonly #shared: SharedTransaction<Connection>;
  /** As of what was sent: the savepoints that follow it if one began it; null outside of a transaction. */
  #open: { readonly savepoints: Savepoints | null } | null = null;
  /** Number of statements so far that begin or end something. */
  #turns = 0;
  readonly #cause = new RollbackCause();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#shared = connection.sharedTransaction();
  }

  /** Sends a statement, by `work` on the connection that it is given. Undefined if `work` was not needed. */
  async run<T>(sql: string, work: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#send(sql, work);
    } catch (error) {
      const told = this.#cause.told(error);
      // The savepoints are gone too, and TypeORM counts them down one by one.
      if (isAborted(told) && factsOf(sql).transaction?.verb === "rollback to") return undefined;
      throw told;
    }
  }

  async #send<T>(sql: string, work: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    const { transaction, setsForeignKeys } = factsOf(sql);
    const open = this.#open;
    const inside = open === null ? this.#connection : this.#shared.statements;
    // SQLite ignores the pragma in a transaction, and TypeORM sends it there to undo a migration.
    if (transaction === null) return await work(setsForeignKeys ? this.#connection : inside);
    refuseSeveral(sql);
    this.#turns++;
    switch (transaction.verb) {
      case "begin":
        return await this.#begin(null, work);
      case "savepoint":
        if (open === null) return await this.#begin(new Savepoints(), work, transaction.name);
        open.savepoints?.push(transaction.name);
        break;
      case "release":
        if (open?.savepoints?.begunBy(transaction.name) === true) return await this.#commit();
        open?.savepoints?.release(transaction.name);
        break;
      case "rollback to":
        open?.savepoints?.rollbackTo(transaction.name);
        break;
      case "commit":
        if (open !== null) return await this.#commit();
        break;
      case "rollback":
        if (open !== null) return await this.#rollback();
    }
    return await work(inside);
  }

  async #begin<T>(
    savepoints: Savepoints | null,
    work: (connection: Connection) => Promise<T>,
    name?: string,
  ): Promise<T> {
    const before = this.#open;
    const begun = { savepoints };
    if (name !== undefined) savepoints?.push(name);
    this.#open = begun;
    this.#cause.forget();
    try {
      return await work(this.#connection);
    } catch (error) {
      if (this.#open === begun) this.#open = before;
      throw error;
    }
  }

  async #commit(): Promise<undefined> {
    const ended = this.#open;
    const turn = this.#turns;
    this.#open = null;
    try {
      await this.#shared.commit();
      this.#cause.forget();
    } catch (error) {
      // TypeORM sends a ROLLBACK now. What comes before that was meant to be in the transaction.
      if (this.#turns === turn) this.#open = ended;
      throw error;
    }
  }

  async #rollback(): Promise<undefined> {
    this.#open = null;
    await this.#shared.rollback();
    this.#cause.forget();
  }
}
