import { inspect, type InspectOptionsStylized } from "node:util";
import { Flag, Mode, Verb } from "@sqlite-aio/worker/wire";
import type { AnyParameters, ParametersOf } from "../values/bind.js";
import type { Call } from "../thread/call.js";
import { Cursor } from "../connection/cursor.js";
import { executeBatches } from "../connection/executemany.js";
import { readOnly } from "../errors/errors.js";
import { boolean, type CallOptions, refuseSurplus } from "../options/connect-options.js";
import { resultOf, RowIterator } from "../connection/row-iterator.js";
import { type ManyResult, type RunResult, runResult } from "../connection/run-result.js";
import type { ObjectRow } from "../values/row.js";
import { makeRows, type RowSettings } from "../values/row-maker.js";
import { type Caller, type Handle, integerFlag, toError } from "../connection/handle.js";
import { partsOf, type SqlStatement } from "../values/sql-statement.js";
import { checkSql } from "../thread/statement-cache.js";
import { describe } from "../connection/describe.js";
import { PoolStatement, type StatementRunner } from "./statement.js";
import { inspected } from "../tracing/inspected.js";
import { inTransaction, type TransactionOptions } from "../connection/transaction.js";

/** Options of `execute`. */
export interface ExecuteOptions extends CallOptions {
  /** Read only the first row. Default false. */
  firstRow?: boolean | undefined;
}

/** Result of `execute`. */
export interface ExecuteResult extends RunResult {
  /** Names of the columns, in order; empty for a statement without rows. */
  columns: readonly string[];
  /** Their declared types; null for an expression. */
  types: readonly (string | null)[];
  /** Each row as an array in column order. */
  rows: unknown[][];
}

/** What `read()` hands to its callback: one reader, one snapshot. */
export class ReadTransaction {
  /** @internal */
  protected readonly handle: Handle;

  /** @internal Use `pool.read()`. */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** @internal Flags of every QUERY. */
  protected get flags(): number {
    return Flag.READ_ONLY;
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    refuseSurplus(arguments.length, 3, "get(sql, [a, b], options)");
    const call = await this.query(Mode.GET, sql, parameters, options, this.get);
    return objectRows<R>(call, this.handle.settings)[0];
  }

  /** All rows as objects. */
  async all<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    refuseSurplus(arguments.length, 3, "all(sql, [a, b], options)");
    const call = await this.query(Mode.ALL, sql, parameters, options, this.all);
    return objectRows(call, this.handle.settings);
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
    refuseSurplus(arguments.length, 3, "execute(sql, [a, b], options)");
    const { mode, call } = executeMode(options);
    return executeResult(await this.query(mode, sql, parameters, call, this.execute, false));
  }

  /** Rows as objects, read on demand. */
  iterate<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): AsyncIterableIterator<R> {
    refuseSurplus(arguments.length, 3, "iterate(sql, [a, b], options)");
    return this.#iterate(sql, parameters, options);
  }

  /**
   * Prepares a statement that can be run many times in this transaction, like `pool.prepare()`. If prepared from a `{
   * sql, values }` object, it always has those values.
   *
   * @example
   * await pool.transaction(async (tx) => {
   *   const insert = tx.prepare("INSERT INTO note (text) VALUES (?)");
   *   for (const text of ["a", "b"]) await insert.run([text]);
   * });
   */
  prepare(sql: string | SqlStatement): PoolStatement {
    refuseSurplus(arguments.length, 1, "prepare(sql)");
    const [text, fixed] = partsOf(sql, undefined);
    checkSql(text);
    return new PoolStatement(text, fixed, {
      ...runBy(this.handle.settings, (mode, ...rest) => this.query(mode, text, ...rest)),
      iterate: (values, options) => this.#iterate(text, values, options),
      columns: async (options, caller) => (await describe(this.handle, text, options, caller)).columns,
    });
  }

  #iterate<R>(
    sql: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
  ): AsyncIterableIterator<R> {
    const cursor = new Cursor(null, this.handle, this.flags);
    const taken = resultOf(() => cursor.taken(sql, parameters, options));
    return new RowIterator(
      {
        open: async () => await taken()(),
        giveUp: (reason) => cursor.giveUp(reason),
        close: async (opened) => await opened?.[Symbol.asyncDispose](),
      },
      options?.signal,
    );
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    return inspected(this, this.handle.shown, depth, options);
  }

  /** @internal */
  protected async query(
    mode: number,
    sql: string | SqlStatement,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
    objects = true,
  ): Promise<Call> {
    const flags = this.flags | integerFlag(options);
    const call = this.handle.query(mode, sql, parameters, { flags, objects });
    this.handle.submit(call, options, caller);
    try {
      await call.promise;
    } catch (reason) {
      throw toError(reason, call);
    }
    if (call.refused) throw readOnly(call.sql);
    return call;
  }
}

/** What `transaction()` hands to its callback: the writer, until the callback ends. */
export class PoolTransaction extends ReadTransaction {
  protected override get flags(): number {
    return 0;
  }

  /** Runs a statement and gives its counts. */
  async run<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameters?: P,
    options?: CallOptions,
  ): Promise<RunResult> {
    refuseSurplus(arguments.length, 3, "run(sql, [a, b], options)");
    return runResult(await this.query(Mode.RUN, sql, parameters, options, this.run));
  }

  /**
   * Runs a statement that writes once for each parameter set of an Iterable or AsyncIterable, in bounded memory. If one
   * set fails, the sets before it stay in the transaction until it is rolled back.
   */
  async executemany<P extends ParametersOf<P>>(
    sql: string | SqlStatement,
    parameterSets: Iterable<P> | AsyncIterable<P>,
    options?: CallOptions,
  ): Promise<ManyResult> {
    refuseSurplus(arguments.length, 3, "executemany(sql, [[a, b], [c, d]], options)");
    const changes = await executeBatches(this.handle, sql, parameterSets, options, this.executemany);
    return { changes: Math.max(0, changes) };
  }

  /** Runs the statements of a script. */
  async exec(script: string | SqlStatement, options?: CallOptions): Promise<void> {
    refuseSurplus(arguments.length, 2, "exec(script, options)");
    await this.handle.perform(this.handle.script(script, this.handle.flags), options, this.exec);
  }

  /** A SAVEPOINT: released when `fn` returns, rolled back when it throws. */
  async transaction<T>(
    fn: (tx: PoolTransaction) => T | Promise<T>,
    options: Omit<TransactionOptions, "mode"> = {},
  ): Promise<T> {
    return await inTransaction(this.handle, (handle) => new PoolTransaction(handle), fn, options);
  }
}

/** Begins a transaction and reads, because SQLite takes the snapshot at the first read. */
export async function pinSnapshot(handle: Handle): Promise<void> {
  const begin = handle.control(Verb.BEGIN, 1);
  const pin = handle.query(Mode.GET, "SELECT 1 FROM sqlite_schema LIMIT 1", undefined);
  handle.submit(begin, undefined, null);
  handle.submit(pin, undefined, null);
  pin.promise.catch(() => {});
  await handle.settle(begin);
  await handle.settle(pin);
}

/** @internal The rows of a call as objects, converted as `detectTypes` says. */
export function objectRows<R>(call: Call, settings: RowSettings): R[] {
  // Without detectTypes, the rows are objects already.
  return makeRows(call, settings) as R[];
}

/** @internal The methods of a prepared statement, made of `query`. */
export function runBy(
  settings: RowSettings,
  query: (
    mode: number,
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ) => Promise<Call>,
): Pick<StatementRunner, "run" | "get" | "all"> {
  return {
    run: async (...call) => runResult(await query(Mode.RUN, ...call)),
    get: async (...call) => objectRows(await query(Mode.GET, ...call), settings)[0],
    all: async (...call) => objectRows(await query(Mode.ALL, ...call), settings),
  };
}

/** @internal Splits the options of `execute` into its mode and the common call options. */
export function executeMode(options: ExecuteOptions | undefined): {
  mode: number;
  call: CallOptions | undefined;
} {
  if (options === undefined || options === null || !Object.hasOwn(options, "firstRow"))
    return { mode: Mode.ALL, call: options };
  const { firstRow, ...call } = options;
  return { mode: boolean(firstRow, "firstRow") ? Mode.GET : Mode.ALL, call };
}

/** @internal */
export function executeResult(call: Call): ExecuteResult {
  return {
    ...runResult(call),
    columns: call.shape?.names ?? [],
    types: call.shape?.types ?? [],
    rows: call.rows as unknown[][],
  };
}
