import type { Connection } from "../../connection/connection.js";
import type { Parameters } from "../../values/bind.js";
import { LostTransaction } from "./lost-transaction.js";
import { TypeormStatement } from "./statement.js";

/** A database as TypeORM's type `expo` uses it: `dataSource.driver.databaseConnection`. */
export class TypeormDatabase {
  /** What runs the statements, with `Row` as its row factory: for backups, blobs, functions and whatever else TypeORM has no call for. */
  readonly connection: Connection;
  readonly #lost = new LostTransaction();

  /** @internal Use `createDriver()`. */
  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Runs a statement of TypeORM's own, a PRAGMA. */
  async runAsync(sql: string, parameters?: Parameters): Promise<void> {
    await this.#lost.run(sql, () => this.connection.executeFetchall(sql, parameters));
  }

  /** Never rejects: TypeORM makes a `QueryFailedError` only of what a statement rejects with when it is executed. */
  async prepareAsync(sql: string): Promise<TypeormStatement> {
    return new TypeormStatement(this.connection, this.#lost, sql);
  }

  /** Runs what was called before, rolls back an open transaction, and ends the thread. */
  async closeAsync(): Promise<void> {
    await this.connection.close();
  }
}
