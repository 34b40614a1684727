import { ProgrammingError } from "../errors/errors.js";
import type { RunResult } from "../connection/run-result.js";
import type { Caller } from "../connection/handle.js";
import { type CallOptions, refuseSurplus } from "../options/connect-options.js";
import { type AnyParameters, keepParameters, type ParametersOf } from "../values/bind.js";
import type { ObjectRow } from "../values/row.js";
import type { ColumnInfo } from "../values/shape.js";

/** Runs a statement of a pool. `caller` is the public method. */
export interface StatementRunner {
  run(parameters: object | undefined, options: CallOptions | undefined, caller: Caller): Promise<RunResult>;
  get(parameters: object | undefined, options: CallOptions | undefined, caller: Caller): Promise<unknown>;
  all(parameters: object | undefined, options: CallOptions | undefined, caller: Caller): Promise<unknown[]>;
  iterate(
    parameters: object | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): AsyncIterableIterator<unknown>;
  columns(options: CallOptions | undefined, caller: Caller): Promise<readonly ColumnInfo[]>;
}

/**
 * A prepared statement of a pool or of its transaction. It holds no connection: each call goes where a call of the pool
 * or transaction would go, and every connection caches the compiled statement.
 */
export class PoolStatement {
  /** The text of the statement. */
  readonly source: string;
  readonly #handle: StatementRunner;
  /** The values that it was prepared with, copied then. */
  readonly #values: object | undefined;

  /** @internal Use `pool.prepare()` or `tx.prepare()`. Throws if the values do not fit the text. */
  constructor(source: string, values: object | undefined, handle: StatementRunner) {
    this.source = source;
    this.#handle = handle;
    this.#values = values && keepParameters(source, values)();
  }

  /** Runs it on the writer and gives its counts. */
  async run<P extends ParametersOf<P>>(parameters?: P, options?: CallOptions): Promise<RunResult> {
    refuseSurplus(arguments.length, 2, "run([a, b], options)");
    return await this.#handle.run(this.#bound(parameters), options, this.run);
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    parameters?: P,
    options?: CallOptions,
  ): Promise<R | undefined> {
    refuseSurplus(arguments.length, 2, "get([a, b], options)");
    return (await this.#handle.get(this.#bound(parameters), options, this.get)) as R | undefined;
  }

  /** All rows as objects. */
  async all<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    parameters?: P,
    options?: CallOptions,
  ): Promise<R[]> {
    refuseSurplus(arguments.length, 2, "all([a, b], options)");
    return (await this.#handle.all(this.#bound(parameters), options, this.all)) as R[];
  }

  /** Rows as objects, read on demand. Holds a connection until the loop ends. */
  iterate<R = ObjectRow, P extends ParametersOf<P> = AnyParameters>(
    parameters?: P,
    options?: CallOptions,
  ): AsyncIterableIterator<R> {
    refuseSurplus(arguments.length, 2, "iterate([a, b], options)");
    return this.#handle.iterate(this.#bound(parameters), options, this.iterate) as AsyncIterableIterator<R>;
  }

  /**
   * The columns of its rows, empty if it returns no rows. Compiles the statement without running it. Rejects with
   * SQLite's error if the text cannot be compiled.
   */
  async columns(options?: CallOptions): Promise<readonly ColumnInfo[]> {
    refuseSurplus(arguments.length, 1, "columns(options)");
    return await this.#handle.columns(options, this.columns);
  }

  #bound(parameters: object | undefined): object | undefined {
    if (this.#values === undefined) return parameters;
    if (parameters === undefined) return this.#values;
    throw new ProgrammingError("the statement was prepared with its values: there can be no others", {
      code: "SQLITE_MISUSE",
      sql: this.source,
    });
  }
}
