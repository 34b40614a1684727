import type { Driver, TransactionSettings } from "kysely";
import { KyselyConnection, type KyselyPool } from "./connection.js";
import { enterTransaction, refuseInsideTransaction } from "../builder-connection.js";

/** Kysely's driver over a pool. */
export class SqliteAioDriver implements Driver {
  readonly #source: KyselyPool | (() => Promise<KyselyPool>);
  #pool: KyselyPool | null = null;

  constructor(source: KyselyPool | (() => Promise<KyselyPool>)) {
    this.#source = source;
  }

  async init(): Promise<void> {
    this.#pool = typeof this.#source === "function" ? await this.#source() : this.#source;
  }

  /** Takes nothing from the pool yet: single statements are the pool's own calls. */
  async acquireConnection(): Promise<KyselyConnection> {
    refuseInsideTransaction(this, "the Kysely instance");
    return new KyselyConnection(this.#pool!);
  }

  beginTransaction(connection: KyselyConnection, settings: TransactionSettings): Promise<void> {
    enterTransaction(this, connection);
    return connection.begin(settings);
  }

  async commitTransaction(connection: KyselyConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: KyselyConnection): Promise<void> {
    await connection.rollback();
  }

  async savepoint(connection: KyselyConnection, name: string): Promise<void> {
    await connection.control(`SAVEPOINT ${quoted(name)}`);
  }

  async rollbackToSavepoint(connection: KyselyConnection, name: string): Promise<void> {
    await connection.control(`ROLLBACK TO ${quoted(name)}`);
  }

  async releaseSavepoint(connection: KyselyConnection, name: string): Promise<void> {
    await connection.control(`RELEASE ${quoted(name)}`);
  }

  async releaseConnection(connection: KyselyConnection): Promise<void> {
    await connection.release();
  }

  async destroy(): Promise<void> {
    await this.#pool?.close();
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
