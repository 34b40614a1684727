import {
  type ConnectionInfo,
  DriverAdapterError,
  type IsolationLevel,
  type SqlDriverAdapter,
  type Transaction,
} from "@prisma/driver-adapter-utils";
import { AdapterPool } from "./adapter-pool.js";
import type { TimestampFormat } from "./arguments.js";
import type { PrismaPool } from "./prisma-pool.js";
import { PrismaQueryable } from "./queryable.js";
import { PrismaTransaction } from "./transaction.js";

/** How an adapter uses its pool. */
export interface AdapterSettings {
  readonly format: TimestampFormat;
  /** The adapter opened the pool, so it closes it. */
  readonly owned: boolean;
}

/** Prisma's connection to a database: here, a pool. */
export class PrismaAdapter extends PrismaQueryable implements SqlDriverAdapter {
  readonly #pool: AdapterPool;
  readonly #format: TimestampFormat;
  readonly #maxBindValues: number;
  /** Transactions that Prisma may not have ended. */
  readonly #transactions = new Set<PrismaTransaction>();
  #disposed = false;

  private constructor(pool: AdapterPool, format: TimestampFormat, maxBindValues: number) {
    super(pool, format);
    this.#pool = pool;
    this.#format = format;
    this.#maxBindValues = maxBindValues;
  }

  static async over(pool: PrismaPool, { format, owned }: AdapterSettings): Promise<PrismaAdapter> {
    const its = new AdapterPool(pool, owned);
    try {
      return new PrismaAdapter(its, format, await bindLimit(its));
    } catch (error) {
      await its.close();
      throw error;
    }
  }

  async executeScript(script: string): Promise<void> {
    await this.told(() => this.#pool.exec(script));
  }

  async startTransaction(isolationLevel?: IsolationLevel): Promise<Transaction> {
    if (isolationLevel !== undefined && isolationLevel !== "SERIALIZABLE") {
      throw new DriverAdapterError({ kind: "InvalidIsolationLevel", level: isolationLevel });
    }
    return await this.told(async () => {
      const transaction = await PrismaTransaction.begin(this.#pool, this.#format);
      this.#transactions.add(transaction);
      void transaction.ended.then(() => this.#transactions.delete(transaction));
      if (this.#disposed) await transaction.abandon();
      return transaction;
    });
  }

  getConnectionInfo(): ConnectionInfo {
    return { maxBindValues: this.#maxBindValues, supportsRelationJoins: false };
  }

  /**
   * Closes the pool. Rolls back what is open and what is just beginning: Prisma has ended its transactions before, and would
   * let one that began meanwhile have the writer until its time is up.
   */
  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const transaction of this.#transactions) transaction.abandon().catch(() => {});
    await this.told(() => this.#pool.close());
  }
}

/** Maximum number of parameters of a statement. If the engine does not say, SQLite's old default of 999. */
async function bindLimit(pool: AdapterPool): Promise<number> {
  const { rows } = await pool.execute("SELECT compile_options FROM pragma_compile_options");
  for (const [option] of rows) {
    const [, limit] = /^MAX_VARIABLE_NUMBER=(\d+)$/.exec(String(option)) ?? [];
    if (limit !== undefined) return Number(limit);
  }
  return 999;
}
