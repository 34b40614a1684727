import { opened } from "../session-pool.js";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import {
  type AbortableOperationOptions,
  type CompiledQuery,
  createQueryId,
  type Driver,
  IdentifierNode,
  type QueryCompiler,
  RawNode,
  type TransactionSettings,
} from "kysely";
import { KyselyConnection, type KyselyPool } from "./connection.js";
import { enterTransaction, refuseInsideTransaction } from "../builder-connection.js";

type CompileQuery = QueryCompiler["compileQuery"];

/** Kysely's driver over a pool. */
export class SqliteAioDriver implements Driver {
  readonly #source: KyselyPool | (() => Promise<KyselyPool>);
  #pool: KyselyPool | null = null;

  constructor(source: KyselyPool | (() => Promise<KyselyPool>)) {
    this.#source = source;
  }

  async init(): Promise<void> {
    this.#pool = typeof this.#source === "function" ? opened(await this.#source()) : this.#source;
  }

  /** Leases no connection yet: single statements are calls of the pool. */
  async acquireConnection(options?: AbortableOperationOptions): Promise<KyselyConnection> {
    refuseInsideTransaction(this, "the Kysely instance");
    return new KyselyConnection(this.#pool!, options);
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

  async savepoint(connection: KyselyConnection, name: string, compile: CompileQuery): Promise<void> {
    await connection.control(compiled("savepoint", name, compile));
  }

  async rollbackToSavepoint(
    connection: KyselyConnection,
    name: string,
    compile: CompileQuery,
  ): Promise<void> {
    await connection.control(compiled("rollback to", name, compile));
  }

  async releaseSavepoint(connection: KyselyConnection, name: string, compile: CompileQuery): Promise<void> {
    await connection.control(compiled("release", name, compile));
  }

  async releaseConnection(connection: KyselyConnection): Promise<void> {
    await connection.release();
  }

  async destroy(): Promise<void> {
    // What was called before reaches the pool after some microtasks, and is finished then.
    await turnOfTheLoop();
    await this.#pool?.close();
  }
}

/** A savepoint statement, made by Kysely's compiler so that plugins and the log see it. */
function compiled(command: string, name: string, compile: CompileQuery): CompiledQuery {
  const parts = [RawNode.createWithSql(`${command} `), IdentifierNode.create(name)];
  return compile(RawNode.createWithChildren(parts), createQueryId());
}
