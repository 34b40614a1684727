import { inspect, type InspectOptionsStylized } from "node:util";
import type { BackupOptions } from "../../connection/backup.js";
import type { Connection } from "../../connection/connection.js";
import type { ManyResult } from "../../connection/run-result.js";
import type { DumpOptions } from "../../connection/dump-lines.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { AnyParameters, ParametersOf } from "../../values/bind.js";
import type { ObjectRow } from "../../values/row.js";
import type { PragmaOptions } from "../../options/pragma-options.js";
import { partsOf, type SqlStatement } from "../../values/sql-statement.js";
import { readOnly } from "../../errors/errors.js";
import type { ChangeListener } from "../changes/change-events.js";
import { keepParameters, type LiveQuery, Watch } from "../changes/live-query.js";
import type { Pool } from "../pool.js";
import { inspected } from "../../tracing/inspected.js";
import { MANY } from "./primary-transaction.js";
import { notAtPrimary } from "./remote-errors.js";
import type { Replica } from "./replica.js";
import type { ClusterStats } from "./replicator.js";
import { accessOutside } from "./statement-access.js";

/** Pools whose live queries, iterators and connections to the replica are in use are in use. */
const kept = new WeakMap<object, LocalCalls>();

/** The calls of a pool that are for a database of this machine: the replica answers them, if there is one. */
export abstract class LocalCalls {
  /** @internal */
  protected abstract get replica(): Replica | null;

  /** @internal The file of the replica, or where the primary is. */
  protected abstract get database(): string;

  /** What the pool is doing at this moment. */
  abstract stats(): ClusterStats;

  /** @internal Throws if the pool takes no further call, or not from here. */
  protected abstract check(): void;

  /** SQL functions are of one connection on one machine. Throws NotSupportedError. */
  async createFunction(): Promise<void> {
    throw notAtPrimary("createFunction(): the primary has no functions of its clients, and libsql has none");
  }

  /** The primary would be asked for each parameter set. Throws NotSupportedError, which names `batch()`. */
  async executemany(): Promise<ManyResult> {
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
    return this.inUse(this.local("iterdump()").iterdump(options));
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const { busy, waiting, pending } = this.stats();
    const shown = { path: this.database, replica: this.replica !== null, busy, waiting, pending };
    return inspected(this, shown, depth, options);
  }

  /** As the pool's; the replica answers it. Throws NotSupportedError without one. */
  async pragma(source: string, options: PragmaOptions & { simple: true }): Promise<unknown>;
  async pragma<R = ObjectRow>(source: string, options?: PragmaOptions): Promise<R[]>;
  async pragma(source: string, options: PragmaOptions = {}): Promise<unknown> {
    return await this.local("pragma()").pragma(source, options);
  }

  /** As the pool's, of the replica. Throws NotSupportedError without one. */
  get readers(): number {
    return this.local("readers").readers;
  }

  /** Holds from now on. Throws TypeError or RangeError. */
  set readers(count: number) {
    this.local("readers").readers = count;
  }

  /** Calls `listener` after each sync that has brought something: `external` and `any` are true. Throws NotSupportedError without a replica. */
  on(event: "change", listener: ChangeListener): this {
    this.#changes.on(event, listener, this);
    return this;
  }

  /** As {@link on}, for the next change only. */
  once(event: "change", listener: ChangeListener): this {
    this.#changes.once(event, listener, this);
    return this;
  }

  /** Takes a listener off that was put on by {@link on} or {@link once}. */
  off(event: "change", listener: ChangeListener): this {
    this.#changes.off(event, listener);
    return this;
  }

  /** A query's rows, and its rows again after each sync that has brought something. Throws NotSupportedError without a replica. */
  watch<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    given: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): LiveQuery<R> {
    const changes = this.#changes;
    const [sql, own] = partsOf(given, parameters);
    if (accessOutside(sql) !== "read") throw readOnly(sql);
    const values = keepParameters(sql, own);
    const { pool } = this.replica!;
    const query = (callOptions: CallOptions): Promise<R[]> => pool.all<R>(sql, values(), callOptions);
    // Which tables have changed is not known, so that it does not matter which ones the query reads.
    return this.inUse(new Watch<R>({ sql, changes, query, access: async () => null }, options));
  }

  /** @internal As long as somebody has `value`, this pool is not forgotten. */
  protected inUse<T extends object>(value: T): T {
    kept.set(value, this);
    return value;
  }

  get #changes(): Replica["changes"] {
    if (this.replica !== null) return this.replica.changes;
    throw notAtPrimary("changes are told of a replica: a primary does not tell them");
  }

  /** @internal Throws NotSupportedError without a replica. */
  protected local(method: string): Pool {
    this.check();
    if (this.replica !== null) return this.replica.pool;
    throw notAtPrimary(`${method}: there is no copy of the database on this machine`);
  }
}
