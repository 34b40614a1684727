import { AsyncLocalStorage } from "node:async_hooks";
import type { Parameters } from "../values/bind.js";
import { OperationalError, ProgrammingError } from "../errors/errors.js";
import type { CallOptions } from "../options/connect-options.js";
import type { RunResult } from "../pool/transaction.js";
import { Row } from "../values/row.js";
import { statementKind } from "./statement-kind.js";

/** What reads: the pool, and the snapshot of its `read()`. */
export interface SessionReader {
  /** All rows, as objects. */
  all<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  /** Rows as they are wanted. */
  iterate<R>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterable<R>;
}

/** What a query builder uses of a pool. */
export interface SessionPool extends SessionReader {
  /** Writes. */
  run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult>;
  /** A connection to oneself, until it is stopped. */
  acquire(options: { mode: "write"; signal?: AbortSignal | undefined }): Promise<SessionLease>;
  /** Takes no further calls, and resolves when those that were made are over. */
  close(): Promise<void>;
}

/** What a query builder uses of a connection that the pool lends. */
export interface SessionLease {
  readonly inTransaction: boolean;
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  rowFactory: unknown;
  cursor(): Promise<SessionCursor>;
  executeFetchall<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  rollback(): Promise<void>;
  stop(): Promise<void>;
}

/** What a query builder uses of a cursor. */
export interface SessionCursor {
  readonly rowcount: number;
  readonly lastrowid: number | bigint | null;
  readonly description: readonly unknown[] | null;
  iterChunkSize: number;
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<unknown>;
  fetchall<R>(options?: CallOptions): Promise<R[]>;
  fetchmany<R>(size: number, options?: CallOptions): Promise<R[]>;
  close(): Promise<void>;
}

/** What became of a statement: rows, or counts. `inserted` says that `lastInsertRowid` is this statement's. */
export type SessionResult<R> =
  | { readonly rows: R[] }
  | (RunResult & { readonly rows: null; readonly counted: boolean; readonly inserted: boolean });

/**
 * A connection as query builders think of one. Its statements are calls of the pool, which finds a reader or the writer
 * for each, until one needs the connection to itself: a transaction, or a statement that changes the connection.
 */
export class BuilderConnection {
  readonly #pool: SessionPool;
  #lease: Promise<SessionLease> | null = null;
  #transaction = false;
  #lost: unknown = undefined;

  constructor(pool: SessionPool) {
    this.#pool = pool;
  }

  /** Between begin and commit or rollback. */
  get inTransaction(): boolean {
    return this.#transaction;
  }

  /** Has, or is about to have, a connection to itself. */
  get leased(): boolean {
    return this.#lease !== null;
  }

  async execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<SessionResult<R>> {
    try {
      return await this.#execute<R>(sql, parameters, options);
    } catch (error) {
      if (error instanceof Error && Reflect.get(error, "rolledBack") === true) this.#lost ??= error;
      throw error;
    }
  }

  /** Rows in chunks; the connection is held until the loop ends. */
  async *stream<R>(
    sql: string,
    parameters: Parameters,
    chunkSize: number,
    options: CallOptions,
  ): AsyncGenerator<R[], void, undefined> {
    if (this.#lease === null && statementKind(sql) !== "session") {
      yield* chunks(this.#pool.iterate<R>(sql, parameters, options), chunkSize);
      return;
    }
    const lease = await this.#hold(options.signal);
    const cursor = await lease.cursor();
    cursor.iterChunkSize = chunkSize;
    await cursor.execute(sql, parameters, options);
    try {
      for (;;) {
        const rows = await cursor.fetchmany<R>(chunkSize, options);
        if (rows.length > 0) yield rows;
        if (rows.length < chunkSize) return;
      }
    } finally {
      await cursor.close();
    }
  }

  async begin(): Promise<void> {
    // A transaction that turns from reading to writing can meet a lock that no waiting ends.
    await this.control("BEGIN IMMEDIATE");
    this.#transaction = true;
  }

  async commit(): Promise<void> {
    await this.control("COMMIT");
    this.#over();
  }

  async rollback(): Promise<void> {
    try {
      await (await this.#leased()).rollback();
    } finally {
      this.#over();
    }
  }

  /** Runs a statement such as SAVEPOINT on the connection that this session has to itself. */
  async control(sql: string): Promise<void> {
    const lease = await this.#hold();
    await lease.executeFetchall(sql);
  }

  /** Gives the connection back. What is left of a transaction is rolled back. */
  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    this.#over();
    // What a lease leaves behind is undone before anybody gets the connection; nobody needs to wait for that here.
    if (lease !== null) void (await lease).stop();
  }

  async #execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<SessionResult<R>> {
    const kind = statementKind(sql);
    const counted = kind === "insert" || kind === "change";
    if (this.#lease === null && kind !== "session") {
      if (kind === "rows") return { rows: await this.#pool.all<R>(sql, parameters, options) };
      const result = await this.#pool.run(sql, parameters, options);
      return { rows: null, ...result, counted, inserted: kind === "insert" && result.changes > 0 };
    }
    const lease = await this.#hold(options.signal);
    if (kind === "rows") return { rows: await lease.executeFetchall<R>(sql, parameters, options) };
    const cursor = await lease.cursor();
    await cursor.execute(sql, parameters, options);
    if (cursor.description !== null) return { rows: await cursor.fetchall<R>(options) };
    const changes = Math.max(0, cursor.rowcount);
    const lastInsertRowid = cursor.lastrowid!;
    return { rows: null, changes, lastInsertRowid, counted, inserted: kind === "insert" && changes > 0 };
  }

  /** The writer, for as long as the session lasts. */
  async #hold(signal?: AbortSignal): Promise<SessionLease> {
    const lease = await this.#leased(signal);
    // What came after would be committed by itself.
    if (this.#transaction && !lease.inTransaction) throw aborted(this.#lost);
    return lease;
  }

  #leased(signal?: AbortSignal): Promise<SessionLease> {
    if (this.#lease === null) {
      const lease = this.#acquire(signal);
      this.#lease = lease;
      lease.catch(() => {
        if (this.#lease === lease) this.#lease = null;
      });
    }
    return this.#lease;
  }

  async #acquire(signal: AbortSignal | undefined): Promise<SessionLease> {
    const lease = await this.#pool.acquire({ mode: "write", signal });
    lease.isolationLevel = null;
    lease.rowFactory = Row;
    return lease;
  }

  #over(): void {
    this.#transaction = false;
    this.#lost = undefined;
  }
}

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

/** Kysely knows by this symbol that there is nothing left to roll back. */
const ABORTED = Symbol.for("kysely.AbortedTransactionError");

function aborted(cause: unknown): OperationalError {
  const error = new OperationalError(
    "the transaction was rolled back after an earlier error, nothing more of it is run",
    { code: "SQLITE_ABORT_ROLLBACK", cause },
  );
  return Object.assign(error, { rolledBack: true, [ABORTED]: true });
}

/** A transaction whose callback is running, and those around it. */
interface Scope {
  readonly owner: object;
  readonly transaction: { readonly inTransaction: boolean };
  readonly outer: Scope | undefined;
}

const scopes = new AsyncLocalStorage<Scope>();

/**
 * Marks what is called from here on as called inside a transaction. To be called in the function that then awaits the
 * beginning and runs the callback: whoever called that function is behind an await of his own and stays as he was.
 */
export function enterTransaction(owner: object, transaction: { readonly inTransaction: boolean }): void {
  scopes.enterWith({ owner, transaction, outer: scopes.getStore() });
}

/** A call from inside such a callback could wait for the very connection that the callback holds. */
export function refuseInsideTransaction(owner: object, what: string): void {
  for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer) {
    if (scope.owner === owner && scope.transaction.inTransaction) {
      throw new ProgrammingError(
        `${what} was used inside its own transaction and could wait for itself: use the transaction that the callback was given`,
        { code: "SQLITE_MISUSE" },
      );
    }
  }
}
