import { splitScript } from "@sqlite-aio/worker/sql";
import { PrimaryError, ProgrammingError, readOnly, SqliteError } from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";
import type { CallOptions } from "../../options/connect-options.js";
import { Deadline } from "../../options/deadline.js";
import { type AnyParameters, keepParameters, type ParametersOf } from "../../values/bind.js";
import type { ObjectRow } from "../../values/row.js";
import type { RowSettings } from "../../values/row-maker.js";
import { partsOf, type SqlStatement, textWithoutValues } from "../../values/sql-statement.js";
import type { ExecuteOptions, ExecuteResult } from "../transaction.js";
import type { ManyResult, RunResult } from "../../connection/run-result.js";
import type { Primary } from "./primary.js";
import type { PrimaryStream } from "./primary-stream.js";
import { notAtPrimary } from "./remote-errors.js";
import { accessOf } from "./statement-access.js";
import { executed, objectRows, type RemoteResult, remoteStatement } from "./remote-values.js";

/** @internal Error text for executemany(), which names batch() instead. */
export const MANY =
  "executemany(): the primary would be asked for each set, and the pool's batch() sends all statements at once";

/** Numbers the savepoints of the process, so that each has its own name. */
let lastSavepoint = 0;

/** What `read()` hands to its callback without a replica: a read transaction at the primary. */
export class PrimaryReadTransaction {
  /** @internal */
  protected readonly stream: PrimaryStream;
  /** @internal */
  protected readonly settings: RowSettings;

  readonly #callTimeout: number;

  /** @internal Use `pool.read()`. */
  constructor(stream: PrimaryStream, settings: RowSettings, callTimeout: number) {
    this.#callTimeout = callTimeout;
    this.stream = stream;
    this.settings = settings;
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    return objectRows<R>(await this.query(sql, parameters, options), this.settings)[0];
  }

  /** All rows as objects. */
  async all<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    return objectRows<R>(await this.query(sql, parameters, options), this.settings);
  }

  /**
   * Runs a statement and gives all results: rows as arrays, columns and counts. For query builders, which build rows
   * themselves.
   */
  async execute<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult> {
    const { firstRow, ...call } = options ?? {};
    return executed(await this.query(sql, parameters, call), firstRow);
  }

  /** Rows as objects. The primary sends them all at once. */
  iterate<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    given: string | SqlStatement,
    values?: P,
    options?: CallOptions,
  ): AsyncGenerator<R, undefined, undefined> {
    const [sql, parameters] = partsOf(given, values);
    return this.#iterate<R>(sql, keepParameters(sql, parameters), options);
  }

  /** @internal */
  protected async query(
    given: string | SqlStatement,
    values: object | undefined,
    options: CallOptions | undefined,
  ): Promise<RemoteResult> {
    const [sql, parameters] = partsOf(given, values);
    this.check(sql);
    const statement = remoteStatement(sql, parameters);
    const work = this.stream.execute(statement);
    const deadline = Deadline.of(options, this.#callTimeout);
    return await (deadline === undefined ? work : deadline.race(work, sql));
  }

  async *#iterate<R>(
    sql: string,
    parameters: () => object | undefined,
    options: CallOptions | undefined,
  ): AsyncGenerator<R, undefined, undefined> {
    yield* objectRows<R>(await this.query(sql, parameters(), options), this.settings);
  }

  /** @internal Throws if the statement is not allowed here. */
  protected check(sql: string): void {
    if (accessOf(sql) === "read") return;
    throw readOnly(sql);
  }
}

/** What `transaction()` hands to its callback with a primary: a connection there, until the callback ends. */
export class PrimaryTransaction extends PrimaryReadTransaction {
  /** Runs a statement and gives its counts. */
  async run<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<RunResult> {
    const { changes, lastInsertRowid } = await this.query(sql, parameters, options);
    return { changes, lastInsertRowid };
  }

  /** Throws NotSupportedError, which names `batch()`: this would be one request for each parameter set. */
  async executemany(): Promise<ManyResult> {
    throw notAtPrimary(MANY);
  }

  /** Runs the statements of a script. */
  async exec(script: string | SqlStatement, options?: CallOptions): Promise<void> {
    const statements = [...splitScript(textWithoutValues(script))];
    for (const sql of statements) this.check(sql);
    for (const sql of statements) await this.query(sql, undefined, options);
  }

  /** A SAVEPOINT: released when `fn` returns, rolled back when it throws. */
  async transaction<T>(fn: (tx: PrimaryTransaction) => T | Promise<T>): Promise<T> {
    if (typeof fn !== "function") throw new TypeError("transaction: the first argument must be a function");
    const name = `sqlite_aio_${++lastSavepoint}`;
    await this.stream.execute([`SAVEPOINT ${name}`, []]);
    let result: T;
    try {
      result = await fn(this);
    } catch (error) {
      // If the whole transaction is lost, there is no savepoint to roll back to.
      if (this.stream.inTransaction) {
        await this.stream.execute([`ROLLBACK TO ${name}`, []]);
        await this.stream.execute([`RELEASE ${name}`, []]);
      }
      throw error;
    }
    await this.stream.execute([`RELEASE ${name}`, []]);
    return result;
  }

  /** @internal */
  protected override check(sql: string): void {
    if (accessOf(sql) !== "control") return;
    throw new ProgrammingError(
      "the transaction begins and ends with its callback: use transaction() for a savepoint, and throw to roll back",
      { code: "SQLITE_MISUSE", sql },
    );
  }
}

/** Runs `work` between BEGIN and COMMIT on a connection of its own. */
export async function runTransaction<T>(
  primary: Primary,
  mode: "deferred" | "immediate" | "exclusive",
  deadline: Deadline,
  work: (stream: PrimaryStream) => Promise<T>,
): Promise<T> {
  const stream = await deadline.race(primary.open());
  try {
    await deadline.race(stream.begin(mode));
    const result = await deadline.race(work(stream));
    await deadline.race(stream.commit());
    return result;
  } catch (error) {
    // Not awaited if the caller has given up.
    const undone = stream.rollback().catch(() => {});
    if (!deadline.over) await undone;
    throw error;
  } finally {
    stream.close();
  }
}

/** Whether a transaction was rolled back completely, for a reason that may pass. */
export function isUndone(error: unknown): boolean {
  if (isInstance(error, PrimaryError)) return error.outcome === "not-started";
  return (
    isInstance(error, SqliteError) &&
    (error.code.startsWith("SQLITE_BUSY") || error.code === "SQLITE_ABORT_ROLLBACK")
  );
}
