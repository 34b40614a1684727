import { factsOf, switchedTo } from "@sqlite-aio/worker/sql";
import type { RunResult } from "../../connection/run-result.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { Parameters } from "../../values/bind.js";
import { MigrationLock, type Release } from "../migration-lock.js";
import type {
  PrismaExecutor,
  PrismaLease,
  PrismaPool,
  PrismaResult,
  PrismaStatements,
} from "./prisma-pool.js";

/** A pragma by which a migration changes how later statements run. */
export interface SessionSetting {
  readonly name: string;
  /** The value is the one that a pool's connections have anyway. */
  readonly usual: boolean;
}

/**
 * The pragmas that Prisma's schema engine sets, and which value is the usual one. The pool refuses other settings,
 * which would be lost after the call.
 */
const USUAL: Readonly<Record<string, (value: string) => boolean>> = {
  foreign_keys: (value) => switchedTo(value) === true,
  defer_foreign_keys: (value) => switchedTo(value) === false,
  locking_mode: (value) => value === "normal",
};

/** The setting that `sql` changes; null for other statements. */
export function sessionSetting(sql: string): SessionSetting | null {
  const { keyword, pragma } = factsOf(sql);
  if (keyword !== "PRAGMA" || pragma === null || pragma.value === null) return null;
  const { name, schema, value } = pragma;
  if (!Object.hasOwn(USUAL, name) || (schema !== "" && schema !== "main")) return null;
  return { name, usual: USUAL[name]!(value) };
}

/** Milliseconds that a migration waits for another one. Prisma's other databases have the same limit. */
const LOCK_TIMEOUT = 10_000;

/** The writer, leased to a migration for as long as a setting has another value than the usual one. */
export class MigrationSession implements PrismaExecutor {
  readonly #lease: PrismaLease;
  readonly #set = new Set<string>();
  #unlock: Release | null = null;

  private constructor(lease: PrismaLease) {
    this.#lease = lease;
  }

  static async begin(pool: PrismaPool): Promise<MigrationSession> {
    const lease = await pool.acquire({ mode: "write" });
    lease.isolationLevel = null;
    return new MigrationSession(lease);
  }

  /** A setting has another value than the usual one. */
  get needed(): boolean {
    return this.#set.size > 0;
  }

  async set({ name, usual }: SessionSetting, sql: string): Promise<void> {
    if (name === "locking_mode") await this.#lock(!usual);
    else await this.#lease.execute(sql);
    if (usual) this.#set.delete(name);
    else this.#set.add(name);
  }

  async execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaResult> {
    return await executorOn(this.#lease).execute(sql, parameters, options);
  }

  async run(sql: string, parameters?: Parameters): Promise<RunResult> {
    return await executorOn(this.#lease).run(sql, parameters);
  }

  async exec(script: string): Promise<void> {
    try {
      await this.#lease.executescript(script, { commit: false });
    } catch (error) {
      if (this.#lease.inTransaction) await this.#lease.rollback();
      throw error;
    }
  }

  async transaction<T>(
    fn: (tx: PrismaExecutor) => Promise<T>,
    options: { mode: "immediate"; signal: AbortSignal },
  ): Promise<T> {
    return await this.#lease.transaction((tx) => fn(executorOn(tx)), options);
  }

  /** Ends the lease of the writer. */
  async end(): Promise<void> {
    try {
      await this.#lease.close();
    } finally {
      await this.#lock(false);
    }
  }

  /**
   * SQLite's own exclusive mode would need all readers of the pool to be closed. So a lock beside the file keeps
   * migrations apart.
   */
  async #lock(wanted: boolean): Promise<void> {
    if (!wanted) {
      const unlock = this.#unlock;
      this.#unlock = null;
      await unlock?.();
      return;
    }
    if (this.#unlock !== null) return;
    const { rows } = await this.execute("SELECT file FROM pragma_database_list WHERE name = 'main'");
    const file = rows[0]?.[0];
    // Without a file, there is no other process to keep out.
    if (typeof file === "string" && file !== "")
      this.#unlock = await MigrationLock.beside(file, "prisma").take(LOCK_TIMEOUT);
  }
}

/** Gives a connection the calls of a pool. */
function executorOn(statements: PrismaStatements): PrismaExecutor {
  return {
    async execute(sql, parameters, options) {
      const cursor = await statements.execute(sql, parameters, options);
      const columns = cursor.columns() ?? [];
      const rows = (await cursor.fetchall()) as unknown[][];
      return { columns: columns.map(({ name }) => name), types: columns.map(({ type }) => type), rows };
    },
    async run(sql, parameters) {
      const cursor = await statements.execute(sql, parameters);
      await cursor.fetchall();
      return { changes: Math.max(0, cursor.rowcount), lastInsertRowid: cursor.lastrowid ?? 0 };
    },
  };
}
