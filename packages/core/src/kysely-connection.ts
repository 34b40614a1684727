import type {
  AbortableOperationOptions,
  CompiledQuery,
  DatabaseConnection,
  QueryResult,
  TransactionSettings,
} from "kysely";
import type { Parameters } from "./bind.js";
import { NotSupportedError, OperationalError, ProgrammingError } from "./errors.js";
import type { CallOptions } from "./options.js";
import { Row } from "./row.js";
import { statementKind } from "./statement-kind.js";

/** What reads: the pool, and the snapshot of its `read()`. */
export interface KyselyReader {
  all<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  iterate<R>(sql: string, parameters?: Parameters, options?: CallOptions): AsyncIterable<R>;
}

/** What the dialect uses of a pool. */
export interface KyselyPool extends KyselyReader {
  run(
    sql: string,
    parameters?: Parameters,
    options?: CallOptions,
  ): Promise<{ changes: number; lastInsertRowid: number | bigint }>;
  read<T>(fn: (tx: KyselyReader) => Promise<T>): Promise<T>;
  acquire(options: { mode: "write"; signal?: AbortSignal | undefined }): Promise<KyselyLease>;
  close(): Promise<void>;
}

/** What the dialect uses of a connection that the pool lends. */
export interface KyselyLease {
  readonly inTransaction: boolean;
  isolationLevel: "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE" | null;
  rowFactory: unknown;
  cursor(): Promise<KyselyCursor>;
  executeFetchall<R>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<R[]>;
  rollback(): Promise<void>;
  stop(): Promise<void>;
}

/** What the dialect uses of a cursor. */
export interface KyselyCursor {
  readonly rowcount: number;
  readonly lastrowid: number | bigint | null;
  readonly description: readonly unknown[] | null;
  iterChunkSize: number;
  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<unknown>;
  fetchall<R>(options?: CallOptions): Promise<R[]>;
  fetchmany<R>(size: number, options?: CallOptions): Promise<R[]>;
  close(): Promise<void>;
}

/** A snapshot that stays until `end` is called. */
interface Snapshot {
  readonly reader: KyselyReader;
  end(): Promise<void>;
}

/**
 * Kysely's connection. Its statements are calls of the pool, which finds a reader or the writer for each, until one of
 * them needs the connection to itself: a transaction, or a statement that changes the connection.
 */
export class KyselyConnection implements DatabaseConnection {
  readonly #pool: KyselyPool;
  #lease: Promise<KyselyLease> | null = null;
  #snapshot: Snapshot | null = null;
  #transaction = false;
  #lost: unknown = undefined;

  constructor(pool: KyselyPool) {
    this.#pool = pool;
  }

  /** Between begin and commit or rollback. */
  get inTransaction(): boolean {
    return this.#transaction;
  }

  async executeQuery<R>(query: CompiledQuery, options?: AbortableOperationOptions): Promise<QueryResult<R>> {
    try {
      return await this.#execute<R>(query.sql, query.parameters as Parameters, callOptions(options));
    } catch (error) {
      if (isRolledBack(error)) this.#lost ??= error;
      // Kysely has thrown the reason already, and prints what comes after it to the console.
      if (isReason(error, options)) return { rows: [] };
      throw error;
    }
  }

  async *streamQuery<R>(
    query: CompiledQuery,
    chunkSize: number,
    options?: AbortableOperationOptions,
  ): AsyncGenerator<QueryResult<R>, void, undefined> {
    if (!Number.isInteger(chunkSize) || chunkSize < 1)
      throw new RangeError("stream: the chunk size must be at least 1");
    try {
      yield* this.#stream<R>(query.sql, query.parameters as Parameters, chunkSize, callOptions(options));
    } catch (error) {
      if (!isReason(error, options)) throw error;
    }
  }

  /** Every call was given the signal, which is what stops it. */
  async cancelQuery(): Promise<void> {}

  async begin({ accessMode, isolationLevel }: TransactionSettings): Promise<void> {
    if (isolationLevel === "read uncommitted" || isolationLevel === "read committed") {
      throw new NotSupportedError(
        `isolation level "${isolationLevel}": a transaction of SQLite sees one snapshot, never what others commit meanwhile; use "serializable" or none`,
      );
    }
    if (accessMode === "read only") await this.#beginReading();
    else await this.#beginWriting();
    this.#transaction = true;
  }

  async commit(): Promise<void> {
    if (this.#snapshot === null) {
      const lease = await this.#hold();
      await lease.executeFetchall("COMMIT");
    }
    await this.#over();
  }

  async rollback(): Promise<void> {
    try {
      if (this.#snapshot === null) await (await this.#leased()).rollback();
    } finally {
      await this.#over();
    }
  }

  /** Runs a statement of the transaction's own. */
  async control(sql: string): Promise<void> {
    if (this.#snapshot !== null) throw new NotSupportedError("a read-only transaction has no savepoints");
    const lease = await this.#hold();
    await lease.executeFetchall(sql);
  }

  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    await this.#over();
    // What a lease leaves behind is undone before anybody gets the connection; nobody needs to wait for that here.
    if (lease !== null) void (await lease).stop();
  }

  async #execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<QueryResult<R>> {
    const kind = statementKind(sql);
    if (this.#snapshot !== null)
      return { rows: await this.#snapshot.reader.all<R>(sql, parameters, options) };
    if (this.#lease !== null || kind === "session") return this.#executeOnLease<R>(sql, parameters, options);
    if (kind === "rows") return { rows: await this.#pool.all<R>(sql, parameters, options) };
    const { changes, lastInsertRowid } = await this.#pool.run(sql, parameters, options);
    return counts(kind, changes, lastInsertRowid);
  }

  async #executeOnLease<R>(
    sql: string,
    parameters: Parameters,
    options: CallOptions,
  ): Promise<QueryResult<R>> {
    const lease = await this.#hold(options.signal);
    const kind = statementKind(sql);
    if (kind === "rows") return { rows: await lease.executeFetchall<R>(sql, parameters, options) };
    const cursor = await lease.cursor();
    await cursor.execute(sql, parameters, options);
    if (cursor.description !== null) return { rows: await cursor.fetchall<R>(options) };
    return counts(kind, cursor.rowcount, cursor.lastrowid ?? 0);
  }

  async *#stream<R>(
    sql: string,
    parameters: Parameters,
    chunkSize: number,
    options: CallOptions,
  ): AsyncGenerator<QueryResult<R>, void, undefined> {
    if (this.#lease !== null || statementKind(sql) === "session") {
      const lease = await this.#hold(options.signal);
      const cursor = await lease.cursor();
      cursor.iterChunkSize = chunkSize;
      await cursor.execute(sql, parameters, options);
      try {
        for (;;) {
          const rows = await cursor.fetchmany<R>(chunkSize, options);
          if (rows.length > 0) yield { rows };
          if (rows.length < chunkSize) return;
        }
      } finally {
        await cursor.close();
      }
    }
    const reader = this.#snapshot?.reader ?? this.#pool;
    let rows: R[] = [];
    for await (const row of reader.iterate<R>(sql, parameters, options)) {
      if (rows.push(row) < chunkSize) continue;
      yield { rows };
      rows = [];
    }
    if (rows.length > 0) yield { rows };
  }

  /** The writer, for as long as Kysely has this connection. */
  async #hold(signal?: AbortSignal): Promise<KyselyLease> {
    const lease = await this.#leased(signal);
    // What came after would be committed by itself.
    if (this.#transaction && !lease.inTransaction) throw aborted(this.#lost);
    return lease;
  }

  #leased(signal?: AbortSignal): Promise<KyselyLease> {
    if (this.#lease === null) {
      const lease = this.#acquire(signal);
      this.#lease = lease;
      lease.catch(() => {
        if (this.#lease === lease) this.#lease = null;
      });
    }
    return this.#lease;
  }

  async #acquire(signal: AbortSignal | undefined): Promise<KyselyLease> {
    const lease = await this.#pool.acquire({ mode: "write", signal });
    lease.isolationLevel = null;
    lease.rowFactory = Row;
    return lease;
  }

  async #beginWriting(): Promise<void> {
    const lease = await this.#hold();
    // A transaction that turns from reading to writing can meet a lock that no waiting ends.
    await lease.executeFetchall("BEGIN IMMEDIATE");
  }

  async #beginReading(): Promise<void> {
    if (this.#lease !== null) {
      throw new ProgrammingError(
        "this connection holds the writer, because of a statement such as PRAGMA before: begin the read-only transaction on the Kysely instance",
        { code: "SQLITE_MISUSE" },
      );
    }
    const over = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<KyselyReader>();
    const reading = this.#pool.read((reader) => {
      begun.resolve(reader);
      return over.promise;
    });
    reading.catch(begun.reject);
    const reader = await begun.promise;
    this.#snapshot = {
      reader,
      end: () => {
        over.resolve();
        return reading;
      },
    };
  }

  async #over(): Promise<void> {
    const snapshot = this.#snapshot;
    this.#transaction = false;
    this.#snapshot = null;
    this.#lost = undefined;
    await snapshot?.end();
  }
}

function callOptions(options: AbortableOperationOptions | undefined): CallOptions {
  return options?.signal === undefined ? {} : { signal: options.signal };
}

function counts<R>(kind: string, changes: number, lastInsertRowid: number | bigint): QueryResult<R> {
  if (kind !== "insert" && kind !== "change") return { rows: [] };
  const numAffectedRows = BigInt(changes);
  if (kind === "change" || changes === 0) return { rows: [], numAffectedRows };
  return { rows: [], numAffectedRows, insertId: BigInt(lastInsertRowid) };
}

function isReason(error: unknown, options: AbortableOperationOptions | undefined): boolean {
  return options?.signal?.aborted === true && error === options.signal.reason;
}

function isRolledBack(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, "rolledBack") === true;
}

/** Kysely knows by this symbol that there is nothing left to roll back. */
const ABORTED = Symbol.for("kysely.AbortedTransactionError");

function aborted(cause: unknown): OperationalError {
  const error = new OperationalError(
    "the transaction was rolled back after an earlier error, nothing more of it is run",
    {
      code: "SQLITE_ABORT_ROLLBACK",
      cause,
    },
  );
  return Object.assign(error, { rolledBack: true, [ABORTED]: true });
}
