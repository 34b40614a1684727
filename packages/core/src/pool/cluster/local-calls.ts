import { inspect, type InspectOptionsStylized } from "node:util";
import type { BackupOptions } from "../../connection/backup.js";
import type { Connection } from "../../connection/connection.js";
import type { ManyResult } from "../../connection/run-result.js";
import type { DumpOptions } from "../../connection/dump-lines.js";
import type { CallOptions } from "../../options/connect-options.js";
import { type AnyParameters, keepParameters, type ParametersOf } from "../../values/bind.js";
import type { ObjectRow } from "../../values/row.js";
import type { PragmaOptions } from "../../options/pragma-options.js";
import { partsOf, type SqlStatement } from "../../values/sql-statement.js";
import { readOnly } from "../../errors/errors.js";
import type { ChangeListener } from "../changes/change-events.js";
import { type LiveQuery, Watch } from "../changes/live-query.js";
import type { Pool } from "../pool.js";
import { inspected } from "../../tracing/inspected.js";
import { MANY } from "./primary-transaction.js";
import { notAtPrimary } from "./remote-errors.js";
import type { Replica } from "./replica.js";
import type { ClusterStats } from "./replicator.js";
import { accessOutside } from "./statement-access.js";

/** Keeps a pool reachable while its live queries, iterators and connections to the replica are in use. */
const kept = new WeakMap<object, LocalCalls>();

/** The calls of a pool that need a database on this machine. The replica answers them, if there is one. */
export abstract class LocalCalls {
  /** @internal */
  protected abstract get replica(): Replica | null;

  /** @internal The path of the replica, or the URL of the primary. */
  protected abstract get database(): string;

  /** What the pool is doing at this moment. */
  abstract stats(): ClusterStats;

  /** @internal Throws if the pool is closed, or if the call comes from inside one of its callbacks. */
  protected abstract check(): void;

  /** Throws NotSupportedError: a SQL function belongs to one connection on one machine. */
  async createFunction(): Promise<void> {
    throw notAtPrimary("createFunction(): the primary has no functions of its clients, and libsql has none");
  }

  /** Throws NotSupportedError, which names `batch()`: this would be one request for each parameter set. */
  async executemany(): Promise<ManyResult> {
    throw notAtPrimary(MANY);
  }

  /** Throws NotSupportedError: libsql has no backup. A replica's file is a copy already. */
  async backup(target: Connection | string | URL | Buffer, options: BackupOptions = {}): Promise<void> {
    await this.local("backup()").backup(target, options);
  }

  /** Like the pool's, if the replica's engine supports it. Throws NotSupportedError without a replica. */
  async serialize(options: CallOptions & { name?: string | undefined } = {}): Promise<Uint8Array> {
    return await this.local("serialize()").serialize(options);
  }

  /** The replica as lines of SQL. Throws NotSupportedError without a replica. */
  iterdump(options: DumpOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.inUse(this.local("iterdump()").iterdump(options));
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const { busy, waiting, pending } = this.stats();
    const shown = { path: this.database, replica: this.replica !== null, busy, waiting, pending };
    return inspected(this, shown, depth, options);
  }

  /** Like the pool's, from the replica. Throws NotSupportedError without one. */
  async pragma(source: string, options: PragmaOptions & { simple: true }): Promise<unknown>;
  async pragma<R = ObjectRow>(source: string, options?: PragmaOptions): Promise<R[]>;
  async pragma(source: string, options: PragmaOptions = {}): Promise<unknown> {
    return await this.local("pragma()").pragma(source, options);
  }

  /** Like the pool's, for the replica. Throws NotSupportedError without one. */
  get readers(): number {
    return this.local("readers").readers;
  }

  /** Holds from now on. Throws TypeError or RangeError. */
  set readers(count: number) {
    this.local("readers").readers = count;
  }

  /**
   * Calls `listener` after each sync that brought changes; `external` and `any` are true. Throws NotSupportedError
   * without a replica.
   */
  on(event: "change", listener: ChangeListener): this {
    this.#changes.on(event, listener, this);
    return this;
  }

  /** Like {@link on}, but for the next change only. */
  once(event: "change", listener: ChangeListener): this {
    this.#changes.once(event, listener, this);
    return this;
  }

  /** Removes a listener of {@link on} or {@link once}. */
  off(event: "change", listener: ChangeListener): this {
    this.#changes.off(event, listener);
    return this;
  }

  /**
   * A query's rows, and its rows again after each sync that brought changes. Throws NotSupportedError without a
   * replica.
   */
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
    // A sync does not say which tables have changed, so the tables that the query reads do not matter.
    return this.inUse(new Watch<R>({ sql, changes, query, access: async () => null }, options));
  }

  /** @internal Keeps this pool reachable as long as `value` is. */
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
