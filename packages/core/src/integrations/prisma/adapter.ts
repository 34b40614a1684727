import {
  type ConnectionInfo,
  DriverAdapterError,
  type IsolationLevel,
  type SqlDriverAdapter,
  type Transaction,
} from "@prisma/driver-adapter-utils";
import type { TimestampFormat } from "./arguments.js";
import type { PrismaPool } from "./prisma-pool.js";
import { PrismaQueryable } from "./queryable.js";
import { PrismaTransaction } from "./transaction.js";

/** How a pool is used. */
export interface AdapterSettings {
  readonly format: TimestampFormat;
  /** The adapter has opened the pool, and closes it. */
  readonly owned: boolean;
}

/** What Prisma has for a connection: a pool. */
export class PrismaAdapter extends PrismaQueryable implements SqlDriverAdapter {
  readonly #pool: PrismaPool;
  readonly #settings: AdapterSettings;
  readonly #maxBindValues: number;
  #disposed: Promise<void> | null = null;

  private constructor(pool: PrismaPool, settings: AdapterSettings, maxBindValues: number) {
    super(pool, settings.format);
    this.#pool = pool;
    this.#settings = settings;
    this.#maxBindValues = maxBindValues;
  }

  static async over(pool: PrismaPool, settings: AdapterSettings): Promise<PrismaAdapter> {
    try {
      return new PrismaAdapter(pool, settings, await maxBindValues(pool));
    } catch (error) {
      if (settings.owned) await pool.close();
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
    return await this.told(() => PrismaTransaction.begin(this.#pool, this.#settings.format));
  }

  getConnectionInfo(): ConnectionInfo {
    return { maxBindValues: this.#maxBindValues, supportsRelationJoins: false };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#settings.owned ? this.told(() => this.#pool.close()) : Promise.resolve();
    return this.#disposed;
  }
}

/** How many parameters the engine was built for; where it does not say, what every SQLite takes. */
async function maxBindValues(pool: PrismaPool): Promise<number> {
  const { rows } = await pool.execute("SELECT compile_options FROM pragma_compile_options");
  for (const [option] of rows) {
    const [, limit] = /^MAX_VARIABLE_NUMBER=(\d+)$/.exec(String(option)) ?? [];
    if (limit !== undefined) return Number(limit);
  }
  return 999;
}
