import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { factsOf } from "@sqlite-aio/worker/sql";
import { keepParameters, type Parameters } from "../values/bind.js";
import type { ProgrammingError } from "../errors/errors.js";
import type { CallOptions } from "../options/connect-options.js";
import { Deadline } from "../options/deadline.js";
import { OpenTransaction } from "./open-transaction.js";
import { Losses } from "./losses.js";
import { isAborted, refuseSeveral, released, transactionOver } from "./refusals.js";
import { RollbackCause } from "./rollback-cause.js";
import { Savepoints } from "./savepoints.js";
import type { SessionLease, SessionPool, TransactionMode } from "./session-pool.js";
import { enterHolding, refuseInside } from "../connection/reentrancy.js";
import type { RunResult } from "../connection/run-result.js";
import { Row } from "../values/row.js";
import { type StatementKind, statementKind } from "./statement-kind.js";

/** The result of a statement: rows, or counts. `inserted` is true for an INSERT. */
export type SessionResult<R> =
  | { readonly rows: R[] }
  | (RunResult & { readonly rows: null; readonly counted: boolean; readonly inserted: boolean });

/** The time limit of waiting for an exclusive connection. */
export interface LeaseLimit {
  readonly ms: number;
  /** The error after that time. */
  error(): Error;
}

/**
 * A connection in a query builder's sense. Its statements are calls of the pool, which picks a reader or the writer for
 * each. From the first transaction, or statement that changes the connection, it has a connection of its own.
 */
export class BuilderConnection {
  readonly #pool: SessionPool;
  #lease: Promise<SessionLease> | null = null;
  #transaction: OpenTransaction | null = null;
  /** Set while the transaction begins or ends; later calls wait for it. */
  #turning: Promise<unknown> | null = null;
  /** Number of ends of a builder's transaction that are running. */
  #ending = 0;
  /** Set for a turn of the loop after a transaction has ended: its callers may not know yet. */
  #ended: Promise<void> | null = null;
  /** Aborted when the connection is released. */
  readonly #over = new AbortController();
  readonly #cause = new RollbackCause();
  readonly #losses = new Losses();
  readonly #limit: LeaseLimit | undefined;

  constructor(pool: SessionPool, limit?: LeaseLimit) {
    this.#pool = pool;
    this.#limit = limit;
  }

  /** Between begin and commit or rollback. */
  get inTransaction(): boolean {
    return this.#transaction !== null;
  }

  /** It has a connection of its own, or is about to get one. */
  get leased(): boolean {
    return this.#lease !== null;
  }

  /** It was released, and runs nothing more. */
  get released(): boolean {
    return this.#over.signal.aborted;
  }

  async execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<SessionResult<R>> {
    try {
      return await this.#execute<R>(sql, parameters, options);
    } catch (error) {
      throw this.#cause.told(error);
    }
  }

  /** Turns a switch of the handle on or off, until the connection is released. */
  async configure(op: number, enable: boolean): Promise<void> {
    const before = this.#before();
    if (before !== null) await before;
    await (this.#transaction ?? (await this.#hold())).setconfig?.(op, enable);
  }

  /** Rows in chunks. Holds the connection until the loop ends. */
  async *stream<R>(
    sql: string,
    parameters: Parameters,
    chunkSize: number,
    options: CallOptions,
  ): AsyncGenerator<R[], void, undefined> {
    try {
      yield* this.#stream<R>(sql, parameters, chunkSize, options);
    } catch (error) {
      throw this.#cause.told(error);
    }
  }

  async *#stream<R>(
    sql: string,
    parameters: Parameters,
    chunkSize: number,
    options: CallOptions,
  ): AsyncGenerator<R[], void, undefined> {
    const kind = statementKind(sql);
    const loss = this.#losses.noted(sql, kind);
    const before = this.#before();
    const values = this.#kept(sql, parameters, kind, before);
    if (before !== null) await before;
    if (this.#lease === null && kind !== "session") {
      yield* chunks(this.#pool.iterate<R>(sql, values(), options), chunkSize);
      return;
    }
    const target = this.#transaction ?? (await this.#hold(options.signal));
    this.#losses.used();
    const cursor = await target.cursor();
    cursor.iterChunkSize = chunkSize;
    try {
      await cursor.execute(sql, values(), options);
      this.#losses.ran(loss);
      for (;;) {
        const rows = await cursor.fetchmany<R>(chunkSize, options);
        if (rows.length > 0) yield rows;
        if (rows.length < chunkSize) return;
      }
    } finally {
      await cursor.close();
    }
  }

  /** Begins a transaction. Only {@link commit} and {@link rollback} end it. */
  async begin(): Promise<void> {
    // A deferred transaction that starts to write can meet a lock that no waiting resolves.
    await this.#turn(() => this.#begin("immediate", "builder"));
    this.#losses.worked();
  }

  async commit(): Promise<void> {
    await this.end(() => this.#commit());
  }

  async rollback(): Promise<void> {
    await this.end(() => this.#rollback());
  }

  /**
   * Ends a builder's transaction by `work`. Statements that are called during the end are refused: they would run after
   * it and be committed by themselves. Statements right after the end wait until the builder had time to release the
   * connection.
   */
  async end(work: () => Promise<void>): Promise<void> {
    this.#ending++;
    try {
      await this.#turn(work);
    } finally {
      this.#ending--;
      const ended = turnOfTheLoop().then(() => {
        if (this.#ended === ended) this.#ended = null;
      });
      this.#ended = ended;
    }
  }

  /**
   * The error if all that has run is lost with the connection, such as a BEGIN or a PRAGMA by itself; or if the last
   * statement was a `PRAGMA foreign_keys`: a program that relies on it could lose rows. Null if that is not so, and once
   * it was taken.
   */
  takeRefusal(): ProgrammingError | null {
    return this.#losses.takeRefusal();
  }

  /**
   * Releases the connection, even before it was granted. An open transaction is rolled back. Losses that were not taken
   * are a process warning: an error here would hide the one because of which the caller may be leaving.
   */
  async release(): Promise<void> {
    this.#losses.warn();
    const lease = this.#lease;
    this.#lease = null;
    this.#transaction?.abandon();
    this.#transaction = null;
    this.#over.abort();
    // The pool cleans the connection before the next caller gets it. Nothing here needs to wait for that.
    lease?.then(
      (connection) => void connection.stop(),
      () => {},
    );
  }

  async #execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<SessionResult<R>> {
    const kind = statementKind(sql);
    const turn = kind === "session" ? this.#turnOf(sql) : null;
    const loss = this.#losses.noted(sql, kind);
    const before = this.#before();
    if (turn !== null) {
      if (this.#ended !== null) await before;
      await this.#turn(turn, options.signal);
      this.#losses.ran(loss);
      return NOTHING;
    }
    const values = this.#kept(sql, parameters, kind, before);
    if (before !== null) await before;
    const counted = kind === "insert" || kind === "change";
    if (this.#lease === null && kind !== "session") {
      if (kind === "rows") return { rows: await this.#pool.all<R>(sql, values(), options) };
      const result = await this.#pool.run(sql, values(), options);
      return { rows: null, ...result, counted, inserted: kind === "insert" };
    }
    // With an open transaction this is sent synchronously, so that a later COMMIT cannot overtake it.
    const target = this.#transaction ?? (await this.#hold(options.signal));
    this.#losses.used();
    if (kind === "rows") return { rows: await target.executeFetchall<R>(sql, values(), options) };
    const cursor = await target.execute(sql, values(), options);
    this.#losses.ran(loss);
    if (cursor.description !== null) return { rows: await cursor.fetchall<R>(options) };
    const changes = Math.max(0, cursor.rowcount);
    const lastInsertRowid = cursor.lastrowid!;
    return { rows: null, changes, lastInsertRowid, counted, inserted: kind === "insert" };
  }

  /** The parameters of a statement. If it has to wait they are copied now: the caller may go on using their memory. */
  #kept(
    sql: string,
    parameters: Parameters,
    kind: StatementKind,
    before: Promise<void> | null,
  ): () => Parameters {
    const alone = this.#lease === null && kind !== "session";
    const waits = before !== null || (this.#transaction === null && !alone);
    return waits ? keepParameters(sql, parameters) : () => parameters;
  }

  /** How to run a statement that begins or ends a transaction, or must be outside one; null for others. */
  #turnOf(sql: string): (() => Promise<void>) | null {
    const { transaction, setsForeignKeys } = factsOf(sql);
    if (transaction !== null) refuseSeveral(sql);
    switch (transaction?.verb) {
      case "begin":
        return () => this.#begin(transaction.mode, "statement");
      case "commit":
        return () => this.#endBy(sql, () => this.#commit());
      case "rollback":
        return () => this.#endBy(sql, () => this.#rollback());
      case "savepoint":
        return () => this.#savepoint(sql, transaction.name);
      case "release":
        return () => this.#releaseSavepoint(sql, transaction.name);
      case "rollback to":
        return () => this.#rollbackTo(sql, transaction.name);
      default:
        return setsForeignKeys ? () => this.#switchForeignKeys(sql) : null;
    }
  }

  async #switchForeignKeys(sql: string): Promise<void> {
    await this.#losses.switchForeignKeys(this.#transaction ?? (await this.#hold()), sql);
  }

  /**
   * What a statement must wait for, or null. Throws if the statement came too late for its transaction, because it
   * would be committed by itself.
   */
  #before(): Promise<void> | null {
    this.#check();
    if (this.#ending > 0) throw transactionOver();
    return this.#ended === null && this.#turning === null ? null : this.#afterTurns();
  }

  async #afterTurns(): Promise<void> {
    if (this.#ended !== null) await this.#ended;
    if (this.#turning !== null) await this.#turning;
    this.#check();
  }

  /** Runs `work` after earlier beginnings and ends of transactions, and before later calls. */
  async #turn(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    this.#check();
    const before = this.#turning;
    const turn = (async () => {
      if (before !== null) await before;
      this.#check();
      signal?.throwIfAborted();
      await work();
    })();
    const settled = turn.catch(() => {});
    this.#turning = settled;
    try {
      await turn;
    } finally {
      if (this.#turning === settled) this.#turning = null;
    }
  }

  async #begin(
    mode: TransactionMode,
    by: "builder" | "statement",
    savepoints: Savepoints | null = null,
  ): Promise<void> {
    if (this.#transaction !== null) {
      // SQLite reports that there is a transaction already.
      await this.#transaction.executeFetchall("BEGIN");
      return;
    }
    this.#ended = null;
    const lease = await this.#hold();
    this.#losses.used();
    const transaction = await OpenTransaction.begin(lease, mode, by, savepoints);
    if (this.released) transaction.abandon();
    else this.#transaction = transaction;
  }

  /** Runs a COMMIT or ROLLBACK that was given as a statement. */
  async #endBy(sql: string, end: () => Promise<void>): Promise<void> {
    if (this.#transaction?.by === "statement") await end();
    // A builder's own transaction refuses it. Without a transaction SQLite reports that.
    else await (this.#transaction ?? (await this.#hold())).executeFetchall(sql);
  }

  async #commit(): Promise<void> {
    const transaction = this.#transaction;
    if (transaction === null) return await this.#withoutTransaction("COMMIT");
    try {
      await transaction.commit();
      this.#transaction = null;
    } catch (error) {
      const told = this.#cause.told(error);
      // For SQLite, a COMMIT that failed has not ended the transaction. A caller that sent it as a statement goes on in
      // the transaction, which is rolled back by now. Its statements before the ROLLBACK are refused: they would be
      // committed by themselves.
      if (transaction.by === "builder" || isAborted(told)) this.#transaction = null;
      throw told;
    } finally {
      this.#cause.forget();
    }
  }

  async #rollback(): Promise<void> {
    const transaction = this.#transaction;
    this.#transaction = null;
    this.#cause.forget();
    await transaction?.rollback();
  }

  async #withoutTransaction(sql: string): Promise<void> {
    await (await this.#hold()).executeFetchall(sql);
  }

  /** A SAVEPOINT outside a transaction begins one; the RELEASE of its name commits it. */
  async #savepoint(sql: string, name: string): Promise<void> {
    const begins = this.#transaction === null;
    if (begins) {
      await this.#begin("deferred", "statement", new Savepoints());
    }
    const transaction = this.#transaction!;
    try {
      await transaction.executeFetchall(sql);
    } catch (error) {
      if (begins) await this.#rollback();
      throw error;
    }
    transaction.savepoints?.push(name);
  }

  async #releaseSavepoint(sql: string, name: string): Promise<void> {
    const transaction = this.#transaction;
    if (transaction === null) return await this.#withoutTransaction(sql);
    if (transaction.savepoints?.begunBy(name) === true) return await this.#commit();
    await transaction.executeFetchall(sql);
    transaction.savepoints?.release(name);
  }

  /** Forgets the savepoints behind the named one, which stays. */
  async #rollbackTo(sql: string, name: string): Promise<void> {
    const transaction = this.#transaction;
    await (transaction ?? (await this.#hold())).executeFetchall(sql);
    transaction?.savepoints?.rollbackTo(name);
  }

  #check(): void {
    if (this.released) throw released();
  }

  /** Leases the writer until the connection is released. */
  async #hold(signal?: AbortSignal): Promise<SessionLease> {
    if (this.#lease === null) {
      const lease = this.#acquire();
      this.#lease = lease;
      lease.catch(() => {
        if (this.#lease === lease) this.#lease = null;
      });
    }
    const waiting = this.#lease;
    const lease = await (signal === undefined ? waiting : new Deadline({ signal }).race(waiting));
    this.#check();
    return lease;
  }

  async #acquire(): Promise<SessionLease> {
    const waiting = new AbortController();
    const { signal } = this.#over;
    const onRelease = (): void => waiting.abort(released());
    signal.addEventListener("abort", onRelease, { once: true });
    const limit = this.#limit;
    const timer = limit && setTimeout(() => waiting.abort(limit.error()), limit.ms);
    try {
      const lease = await this.#pool.acquire({ mode: "write", signal: waiting.signal });
      lease.isolationLevel = null;
      lease.rowFactory = Row;
      return lease;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onRelease);
    }
  }
}

/** The result of a statement that only begins or ends something. */
const NOTHING = { rows: null, changes: 0, lastInsertRowid: 0, counted: false, inserted: false } as const;

/** Collects rows into arrays of `size`. */
export async function* chunks<R>(rows: AsyncIterable<R>, size: number): AsyncGenerator<R[], void, undefined> {
  let chunk: R[] = [];
  for await (const row of rows) {
    if (chunk.push(row) < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Marks all later calls of this async context as made inside a transaction of `owner`. Must be called where
 * `enterHolding` must be.
 */
export function enterTransaction(
  owner: object,
  connection: { readonly inTransaction: boolean; readonly released: boolean },
): void {
  enterHolding({
    keepsFrom: (other) => other === owner && connection.inTransaction,
    get ended() {
      return connection.released;
    },
  });
}

/** Throws inside a transaction of `owner`: the call could wait for the connection that this transaction holds. */
export function refuseInsideTransaction(owner: object, what: string): void {
  refuseInside(
    owner,
    `${what} was used inside its own transaction and could wait for itself: use the transaction that the callback was given`,
  );
}
