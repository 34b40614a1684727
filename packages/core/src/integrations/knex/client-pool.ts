import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { opened } from "../session-pool.js";

/** The part of a pool's `stats()` that is used here. */
export interface PoolCounts {
  /** Connections that run something or are leased. */
  readonly busy: number;
  /** Open connections without work. */
  readonly idle: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** The part of a pool that opening, closing and counting need. */
export interface CountedPool {
  /** Takes no further calls. Resolves when earlier ones have ended. */
  close(): Promise<void>;
  /** Current counts. */
  stats?(): PoolCounts;
}

/**
 * Stands in for Knex's `client.pool`: opens the pool at the first query, and has the counters that applications read.
 */
export class ClientPool<P extends CountedPool> {
  /** Minimum number of open connections. */
  readonly min = 0;
  readonly #make: () => Promise<P>;
  #opening: Promise<P> | null = null;
  #pool: P | null = null;
  #destroyed = false;
  /** No further connections are given. */
  #closing = false;
  /** Connections that were asked for and not given back. */
  #taken = 0;
  #allBack: (() => void) | null = null;

  constructor(pool: P | (() => Promise<P>)) {
    this.#make = typeof pool === "function" ? pool : async () => pool;
    // A pool that was given is counted and closed even if no query runs.
    if (typeof pool !== "function") this.#pool = pool;
  }

  /** Closed or closing. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Notes that a connection is asked for. Throws once the pool is being closed. */
  take(): void {
    if (this.#closing) throw new Error("Unable to acquire a connection");
    this.#taken++;
  }

  /** Notes that a connection was given back, or could not be had. */
  giveBack(): void {
    if (--this.#taken === 0) this.#allBack?.();
  }

  async open(): Promise<P> {
    if (this.#pool !== null) return this.#pool;
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  /**
   * Closes the pool, even while it is being opened. As in Knex's own pool, what has a connection or was promised one is
   * finished first.
   */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    let opening = this.#opening;
    // A transaction asks for its connection some microtasks after it was called.
    await turnOfTheLoop();
    this.#closing = true;
    opening ??= this.#opening;
    if (this.#taken > 0) await new Promise<void>((resolve) => (this.#allBack = resolve));
    const pool = this.#pool ?? (await opening);
    await pool?.close();
  }

  /** Connections that run something or are leased. */
  numUsed(): number {
    return this.#pool?.stats?.().busy ?? 0;
  }

  /** Open connections without work. */
  numFree(): number {
    return this.#pool?.stats?.().idle ?? 0;
  }

  /** Calls that wait for a connection. */
  numPendingAcquires(): number {
    return this.#pool?.stats?.().waiting ?? 0;
  }

  /** 1 while the pool is being opened. */
  numPendingCreates(): number {
    return this.#opening !== null && this.#pool === null ? 1 : 0;
  }

  /** Always 0: the pool replaces a connection if its thread dies, so Knex has nothing to validate. */
  numPendingValidations(): number {
    return 0;
  }

  async #open(): Promise<P> {
    try {
      this.#pool = opened(await this.#make());
      return this.#pool;
    } finally {
      // The next query tries again.
      this.#opening = null;
    }
  }
}
