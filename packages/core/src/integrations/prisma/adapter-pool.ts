import type { RunResult } from "../../connection/run-result.js";
import type { CallOptions } from "../../options/connect-options.js";
import type { Parameters } from "../../values/bind.js";
import { MigrationSession, type SessionSetting, sessionSetting } from "./migration-session.js";
import type { PrismaExecutor, PrismaPool, PrismaResult } from "./prisma-pool.js";

/**
 * The pool of one adapter. A migration has exclusive use of the writer. Only a pool that the adapter opened is closed.
 */
export class AdapterPool implements PrismaExecutor {
  readonly #pool: PrismaPool;
  readonly #owned: boolean;
  #session: Promise<MigrationSession> | null = null;
  #closed: Promise<void> | null = null;

  constructor(pool: PrismaPool, owned: boolean) {
    this.#pool = pool;
    this.#owned = owned;
  }

  execute(sql: string, parameters?: Parameters, options?: CallOptions): Promise<PrismaResult> {
    return this.#on((target) => target.execute(sql, parameters, options));
  }

  run(sql: string, parameters?: Parameters): Promise<RunResult> {
    const setting = sessionSetting(sql);
    // The usual value with no migration running changes nothing, so it is an ordinary pragma.
    if (setting === null || (setting.usual && this.#session === null)) {
      return this.#on((target) => target.run(sql, parameters));
    }
    return this.#setting(setting, sql);
  }

  exec(script: string): Promise<void> {
    return this.#on((target) => target.exec(script));
  }

  transaction<T>(
    fn: (tx: PrismaExecutor) => Promise<T>,
    options: { mode: "immediate"; signal: AbortSignal },
  ): Promise<T> {
    return this.#on((target) => target.transaction(fn, options));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Without a migration this runs synchronously, so that a later close() cannot overtake the call. */
  #on<T>(work: (target: PrismaPool | MigrationSession) => Promise<T>): Promise<T> {
    return this.#session === null ? work(this.#pool) : this.#session.then(work);
  }

  async #setting(setting: SessionSetting, sql: string): Promise<RunResult> {
    this.#session ??= this.#begin();
    const session = await this.#session;
    await session.set(setting, sql);
    if (!session.needed) await this.#end();
    return { changes: 0, lastInsertRowid: 0 };
  }

  #begin(): Promise<MigrationSession> {
    const session = MigrationSession.begin(this.#pool);
    session.catch(() => (this.#session = null));
    return session;
  }

  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await (await session)?.end();
  }

  async #close(): Promise<void> {
    try {
      await this.#end();
    } finally {
      if (this.#owned) await this.#pool.close();
    }
  }
}
