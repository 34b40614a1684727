import type { BackupOptions } from "../../connection/backup.js";
import type { Connection } from "../../connection/connection.js";
import type { DumpOptions } from "../../connection/dump-lines.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { Pool } from "../pool.js";
import { MANY } from "./primary-transaction.js";
import { notAtPrimary } from "./remote-errors.js";

/** The calls of a pool that are for a database of this machine: the replica answers them, if there is one. */
export abstract class LocalCalls {
  /** @internal */
  protected abstract get replicaPool(): Pool | null;

  /** SQL functions are of one connection on one machine. Throws NotSupportedError. */
  async createFunction(): Promise<void> {
    throw notAtPrimary("createFunction(): the primary has no functions of its clients, and libsql has none");
  }

  /** The primary would be asked for each parameter set. Throws NotSupportedError, which names `batch()`. */
  async executemany(): Promise<{ changes: number }> {
    throw notAtPrimary(MANY);
  }

  /** Throws NotSupportedError: libsql has no backup. The file of a replica is a copy already. */
  async backup(target: Connection | string | URL | Buffer, options: BackupOptions = {}): Promise<void> {
    await this.local("backup()").backup(target, options);
  }

  /** As the pool's, where the engine of the replica has it. Throws NotSupportedError without a replica. */
  async serialize(options: CallOptions & { name?: string | undefined } = {}): Promise<Uint8Array> {
    return await this.local("serialize()").serialize(options);
  }

  /** What the replica has, as lines of SQL. Throws NotSupportedError without a replica. */
  iterdump(options: DumpOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.local("iterdump()").iterdump(options);
  }

  /** @internal Throws NotSupportedError without a replica. */
  protected local(method: string): Pool {
    const pool = this.replicaPool;
    if (pool === null) throw notAtPrimary(`${method}: there is no copy of the database on this machine`);
    return pool;
  }
}
