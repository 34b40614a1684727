import type { SqlQuery, SqlQueryable, SqlResultSet } from "@prisma/driver-adapter-utils";
import { ADAPTER } from "./adapter-name.js";
import { boundQuery, type TimestampFormat } from "./arguments.js";
import { resultSet } from "./column-types.js";
import { mapped } from "./mapped-error.js";
import type { PrismaExecutor } from "./prisma-pool.js";

/** Runs Prisma's queries on a pool or in a transaction. */
export abstract class PrismaQueryable implements SqlQueryable {
  readonly provider = "sqlite";
  readonly adapterName = ADAPTER;
  readonly #executor: PrismaExecutor;
  readonly #format: TimestampFormat;

  protected constructor(executor: PrismaExecutor, format: TimestampFormat) {
    this.#executor = executor;
    this.#format = format;
  }

  async queryRaw(query: SqlQuery): Promise<SqlResultSet> {
    return await this.told(async () => {
      const { sql, parameters } = boundQuery(query, this.#format);
      return resultSet(await this.#executor.execute(sql, parameters, { integers: "bigint" }));
    });
  }

  async executeRaw(query: SqlQuery): Promise<number> {
    return await this.told(async () => {
      const { sql, parameters } = boundQuery(query, this.#format);
      return (await this.#executor.run(sql, parameters)).changes;
    });
  }

  /** Runs `work`, and throws its errors in the form that Prisma knows. */
  protected async told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw mapped(error);
    }
  }
}
