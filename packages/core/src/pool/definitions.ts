import type { AggregateClass, WindowFunction } from "../functions/aggregate-groups.js";
import type { Collation } from "../functions/collation.js";
import type { ExportOptions, FunctionOptions, SqlFunction } from "../functions/definitions.js";
import { poolCollation, poolFunction, type PoolFunction, poolTable } from "./functions.js";

/** Defines functions, collations and tables on every connection of a pool. */
export abstract class PoolDefinitions {
  /** @internal */
  protected abstract define(definition: PoolFunction): Promise<void>;

  /** As the connection's, on every connection, also on those opened later. */
  async createFunction(
    name: string,
    parameters: number,
    fn: SqlFunction | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.define(poolFunction("function", name, parameters, fn, options));
  }

  /** As the connection's, on every connection, also on those opened later. */
  async createAggregate(
    name: string,
    parameters: number,
    Aggregate: AggregateClass | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.define(poolFunction("aggregate", name, parameters, Aggregate, options));
  }

  /** As the connection's, on every connection, also on those opened later. */
  async createWindowFunction(
    name: string,
    parameters: number,
    Window: AggregateClass<WindowFunction> | URL | null,
    options: FunctionOptions = {},
  ): Promise<void> {
    await this.define(poolFunction("window", name, parameters, Window, options));
  }

  /** As the connection's, on every connection, also on those opened later. */
  async createCollation(
    name: string,
    collation: Collation | URL | null,
    options: ExportOptions = {},
  ): Promise<void> {
    await this.define(poolCollation(name, collation, options));
  }

  /** As the connection's, on every connection, also on those opened later. */
  async createTable(name: string, module: URL, options: ExportOptions = {}): Promise<void> {
    await this.define(poolTable(name, module, options));
  }
}
