import { AsyncLocalStorage } from "node:async_hooks";
import type { Driver, TransactionSettings } from "kysely";
import { ProgrammingError } from "./errors.js";
import { KyselyConnection, type KyselyPool } from "./kysely-connection.js";

/** A transaction whose callback is running, and those around it. */
interface Scope {
  readonly driver: SqliteAioDriver;
  readonly connection: KyselyConnection;
  readonly outer: Scope | undefined;
}

const scopes = new AsyncLocalStorage<Scope>();

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
    for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) {
      if (scope.driver === this && scope.connection.inTransaction) {
        throw new ProgrammingError(
          "the Kysely instance was used inside its own transaction and could wait for itself: use the transaction that the callback was given",
          { code: "SQLITE_MISUSE" },
        );
      }
    }
    return new KyselyConnection(this.#pool!);
  }

  beginTransaction(connection: KyselyConnection, settings: TransactionSettings): Promise<void> {
    // Kysely awaits this call and then runs the callback in the same function, so the callback runs in what is entered
    // here. Whoever called Kysely is behind an await of his own and stays as he was.
    scopes.enterWith({ driver: this, connection, outer: scopes.getStore() });
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
