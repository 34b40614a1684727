import {
  type AbortableOperationOptions,
  CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
  type TransactionSettings,
} from "kysely";
import type { Parameters } from "../../values/bind.js";
import { NotSupportedError, ProgrammingError } from "../../errors/errors.js";
import type { CallOptions } from "../../options/connect-options.js";
import { chunks, BuilderConnection } from "../builder-connection.js";
import type { SessionPool, SessionReader } from "../session-pool.js";

/** The part of a pool that the dialect uses. */
export interface KyselyPool extends SessionPool {
  /** Keeps one snapshot for as long as `fn` runs. */
  read<T>(fn: (tx: SessionReader) => Promise<T>): Promise<T>;
  /** Keeps migrations of other machines out, if the pool is shared between machines. */
  lockMigrations?(timeout: number): Promise<() => Promise<void>>;
}

/** A snapshot that stays until `end` is called. */
interface Snapshot {
  readonly reader: SessionReader;
  end(): Promise<void>;
}

/** Kysely's connection. In a read-only transaction it reads from a snapshot of the pool. */
export class KyselyConnection implements DatabaseConnection {
  readonly #pool: KyselyPool;
  readonly #session: BuilderConnection;
  /** What Kysely asked for the connection with. */
  readonly #acquired: AbortableOperationOptions | undefined;
  #queries = 0;
  #snapshot: Snapshot | null = null;
  /** The queries that begin and end a transaction, and what they do. */
  readonly #turns = new WeakMap<CompiledQuery, () => Promise<void>>();

  constructor(pool: KyselyPool, options: AbortableOperationOptions | undefined) {
    this.#pool = pool;
    this.#acquired = options;
    this.#session = new BuilderConnection(pool);
  }

  /** The pool that runs its statements. */
  get pool(): KyselyPool {
    return this.#pool;
  }

  /** Between begin and commit or rollback. */
  get inTransaction(): boolean {
    return this.#snapshot !== null || this.#session.inTransaction;
  }

  /** It was released, and runs nothing more. */
  get released(): boolean {
    return this.#session.released;
  }

  async executeQuery<R>(query: CompiledQuery, options?: AbortableOperationOptions): Promise<QueryResult<R>> {
    const turn = this.#turns.get(query);
    if (turn !== undefined) {
      await turn();
      return { rows: [] };
    }
    this.#queries++;
    try {
      const result = await this.#execute<R>(query.sql, query.parameters as Parameters, callOptions(options));
      // Kysely gets the connection for a query that has a signal with the query's own options, and does not look at how
      // the release of that ends.
      if (options !== undefined && options === this.#acquired) this.#refuseLoss();
      return result;
    } catch (error) {
      // Kysely has already thrown the signal's reason. It would print a later error to the console.
      if (isReason(error, options)) return { rows: [] };
      throw error;
    }
  }

  async *streamQuery<R>(
    query: CompiledQuery,
    chunkSize: number,
    options?: AbortableOperationOptions,
  ): AsyncGenerator<QueryResult<R>, void, undefined> {
    if (!Number.isInteger(chunkSize) || chunkSize < 1) {
      throw new RangeError("stream: the chunk size must be an integer of at least 1");
    }
    const call = callOptions(options);
    const parameters = query.parameters as Parameters;
    const rows =
      this.#snapshot === null
        ? this.#session.stream<R>(query.sql, parameters, chunkSize, call)
        : chunks(this.#snapshot.reader.iterate<R>(query.sql, parameters, call), chunkSize);
    try {
      for await (const chunk of rows) yield { rows: chunk };
    } catch (error) {
      if (!isReason(error, options)) throw error;
    }
  }

  /** Does nothing: each call has the signal, which stops it. */
  async cancelQuery(): Promise<void> {}

  async begin({ accessMode, isolationLevel }: TransactionSettings): Promise<void> {
    if (isolationLevel === "read uncommitted" || isolationLevel === "read committed") {
      throw new NotSupportedError(
        `isolation level "${isolationLevel}": a transaction of SQLite sees one snapshot, never what others commit meanwhile; use "serializable" or none`,
      );
    }
    const readOnly = accessMode === "read only";
    await this.#turn("begin", () => (readOnly ? this.#beginReading() : this.#session.begin()));
  }

  async commit(): Promise<void> {
    await this.#turn("commit", () =>
      this.#snapshot === null ? this.#session.commit() : this.#session.end(() => this.#endReading()),
    );
  }

  async rollback(): Promise<void> {
    await this.#turn("rollback", () =>
      this.#snapshot === null ? this.#session.rollback() : this.#session.end(() => this.#endReading()),
    );
  }

  /** Runs a savepoint statement of the transaction. */
  async control(query: CompiledQuery): Promise<void> {
    if (this.#snapshot !== null) throw new NotSupportedError("a read-only transaction has no savepoints");
    await this.executeQuery(query);
  }

  /**
   * Rejects if it was for one query, whose effect is lost now. After `connection()`, which always asks with a `signal`
   * even if that is undefined, it is a warning: Kysely would throw the error in place of the callback's.
   */
  async release(): Promise<void> {
    const single = this.#queries === 1 && !("signal" in (this.#acquired ?? {}));
    const refusal = single ? this.#session.takeRefusal() : null;
    await this.#endReading();
    await this.#session.release();
    if (refusal !== null) throw refusal;
  }

  async #execute<R>(sql: string, parameters: Parameters, options: CallOptions): Promise<QueryResult<R>> {
    if (this.#snapshot !== null)
      return { rows: await this.#snapshot.reader.all<R>(sql, parameters, options) };
    const result = await this.#session.execute<R>(sql, parameters, options);
    if (result.rows !== null) return { rows: result.rows };
    if (!result.counted) return { rows: [] };
    const numAffectedRows = BigInt(result.changes);
    if (!result.inserted) return { rows: [], numAffectedRows };
    return { rows: [], numAffectedRows, insertId: BigInt(result.lastInsertRowid) };
  }

  #refuseLoss(): void {
    const refusal = this.#session.takeRefusal();
    if (refusal !== null) throw refusal;
  }

  /** Runs `work` as a query, so that it is logged: Kysely replaces {@link executeQuery} by a function that logs. */
  async #turn(sql: string, work: () => Promise<void>): Promise<void> {
    const query = CompiledQuery.raw(sql);
    this.#turns.set(query, work);
    await this.executeQuery(query);
  }

  async #beginReading(): Promise<void> {
    if (this.#session.leased) {
      throw new ProgrammingError(
        "this connection holds the writer, because of a statement such as PRAGMA before: begin the read-only transaction on the Kysely instance",
        { code: "SQLITE_MISUSE" },
      );
    }
    const over = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<SessionReader>();
    const reading = this.#pool.read((reader) => {
      begun.resolve(reader);
      return over.promise;
    });
    reading.catch(begun.reject);
    this.#snapshot = {
      reader: await begun.promise,
      end: () => {
        over.resolve();
        return reading;
      },
    };
  }

  async #endReading(): Promise<void> {
    try {
      await this.#snapshot?.end();
    } finally {
      // Only now: a call in the meantime would run outside the snapshot, and could write.
      this.#snapshot = null;
    }
  }
}

function callOptions(options: AbortableOperationOptions | undefined): CallOptions {
  return options?.signal === undefined ? {} : { signal: options.signal };
}

function isReason(error: unknown, options: AbortableOperationOptions | undefined): boolean {
  return options?.signal?.aborted === true && error === options.signal.reason;
}
