import type { Connection } from "../../connection/connection.js";
import type { Parameters } from "../../values/bind.js";
import { SentTransaction } from "./sent-transaction.js";
import { TypeormStatement } from "./statement.js";

/** A database in the form of TypeORM's type `expo`: `dataSource.driver.databaseConnection`. */
export class TypeormDatabase {
  /**
   * The connection, with `Row` as its row factory. Use it for what TypeORM has no call for, such as backups, blobs and
   * functions.
   */
  readonly connection: Connection;
  readonly #transaction: SentTransaction;

  /** @internal Use `createDriver()`. */
  constructor(connection: Connection) {
    this.connection = connection;
    this.#transaction = new SentTransaction(connection);
  }

  /** Runs a PRAGMA of TypeORM's. */
  async runAsync(sql: string, parameters?: Parameters): Promise<void> {
    await this.#transaction.run(sql, (connection) => connection.executeFetchall(sql, parameters));
  }

  /** Never rejects: TypeORM makes a `QueryFailedError` only from a rejection of `executeAsync()`. */
  async prepareAsync(sql: string): Promise<TypeormStatement> {
    return new TypeormStatement(this.#transaction, sql);
  }

  /** Waits for earlier calls, rolls back an open transaction, and ends the thread. */
  async closeAsync(): Promise<void> {
    await this.connection.close();
  }
}
