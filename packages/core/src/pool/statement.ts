import { scanParameters } from "@sqlite-aio/worker/sql";
import { ProgrammingError } from "../errors/errors.js";
import type { RunResult } from "../connection/run-result.js";
import type { Caller } from "../connection/handle.js";
import { type CallOptions, refuseSurplus } from "../options/connect-options.js";
import { bindParameters, type Parameters } from "../values/bind.js";
import type { AnyRow } from "../values/row-maker.js";
import type { ColumnInfo } from "../values/shape.js";

/** What runs a statement of a pool. `caller` is the method that the user has called. */
export interface StatementRunner {
  run(
    parameters: Parameters | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): Promise<RunResult>;
  get(parameters: Parameters | undefined, options: CallOptions | undefined, caller: Caller): Promise<unknown>;
  all(
    parameters: Parameters | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): Promise<unknown[]>;
  iterate(
    parameters: Parameters | undefined,
    options: CallOptions | undefined,
    caller: Caller,
  ): AsyncIterableIterator<unknown>;
  columns(options: CallOptions | undefined, caller: Caller): Promise<readonly ColumnInfo[]>;
}

/**
 * One statement of a pool, to be run again and again. It holds no connection: each call goes where the pool's own would, and
 * every connection keeps what it has compiled.
 */
export class PoolStatement {
  /** The text of the statement. */
  readonly source: string;
  readonly #runner: StatementRunner;
  /** Those that it was prepared with, as they were then. */
  readonly #values: Parameters | undefined;

  /** @internal Use `pool.prepare()`. Throws for values that the text cannot have. */
  constructor(source: string, values: Parameters | undefined, runner: StatementRunner) {
    this.source = source;
    this.#runner = runner;
    this.#values = values && bindParameters(scanParameters(source), values);
  }

  /** Runs it on the writer and gives its counts. */
  async run(parameters?: Parameters, options?: CallOptions): Promise<RunResult> {
    refuseSurplus(arguments.length, 2, "run([a, b], options)");
    return await this.#runner.run(this.#bound(parameters), options, this.run);
  }

  /** The first row as an object; undefined when there is none. */
  async get<R = AnyRow>(parameters?: Parameters, options?: CallOptions): Promise<R | undefined> {
    refuseSurplus(arguments.length, 2, "get([a, b], options)");
    return (await this.#runner.get(this.#bound(parameters), options, this.get)) as R | undefined;
  }

  /** All rows as objects. */
  async all<R = AnyRow>(parameters?: Parameters, options?: CallOptions): Promise<R[]> {
    refuseSurplus(arguments.length, 2, "all([a, b], options)");
    return (await this.#runner.all(this.#bound(parameters), options, this.all)) as R[];
  }

  /** Rows as objects, read as they are wanted. A connection is held until the loop ends. */
  iterate<R = AnyRow>(parameters?: Parameters, options?: CallOptions): AsyncIterableIterator<R> {
    refuseSurplus(arguments.length, 2, "iterate([a, b], options)");
    return this.#runner.iterate(this.#bound(parameters), options, this.iterate) as AsyncIterableIterator<R>;
  }

  /**
   * The columns of its rows, none where it gives no rows: compiled, not run. Rejects with SQLite's error for a text that
   * cannot be compiled.
   */
  async columns(options?: CallOptions): Promise<readonly ColumnInfo[]> {
    refuseSurplus(arguments.length, 1, "columns(options)");
    return await this.#runner.columns(options, this.columns);
  }

  #bound(parameters: Parameters | undefined): Parameters | undefined {
    if (this.#values === undefined) return parameters;
    if (parameters === undefined) return this.#values;
    throw new ProgrammingError("the statement was prepared with its values: there can be no others", {
      code: "SQLITE_MISUSE",
      sql: this.source,
    });
  }
}
