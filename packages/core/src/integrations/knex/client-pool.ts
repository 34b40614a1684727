/** What is read of a pool's `stats()`. */
export interface PoolCounts {
  /** Connections with something to do, or lent. */
  readonly busy: number;
  /** Connections with nothing to do. */
  readonly idle: number;
  /** Calls that wait for a connection. */
  readonly waiting: number;
}

/** What is opened and closed, and counted where it counts. */
export interface CountedPool {
  /** Takes no further calls, and resolves when those that were made are over. */
  close(): Promise<void>;
  /** What it is doing. */
  stats?(): PoolCounts;
}

/** `client.pool`: opens the pool at the first query, and has the counters of Knex's own, which applications read. */
export class ClientPool<P extends CountedPool> {
  /** Of connections that are kept open. */
  readonly min = 0;
  readonly #make: () => Promise<P>;
  #opening: Promise<P> | null = null;
  #pool: P | null = null;
  #destroyed = false;

  constructor(pool: P | (() => Promise<P>)) {
    this.#make = typeof pool === "function" ? pool : async () => pool;
    // It is there already, and counted and closed also where nobody asks for it.
    if (typeof pool !== "function") this.#pool = pool;
  }

  /** Is closed, or about to be. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  async open(): Promise<P> {
    if (this.#pool !== null) return this.#pool;
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  /** Closes what is open or being opened. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    const pool = this.#pool ?? (await this.#opening);
    await pool?.close();
  }

  /** Connections that run something, or are lent. */
  numUsed(): number {
    return this.#pool?.stats?.().busy ?? 0;
  }

  /** Connections that have nothing to do. */
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

  /** Connections are not validated: one whose thread has died is replaced. */
  numPendingValidations(): number {
    return 0;
  }

  async #open(): Promise<P> {
    try {
      this.#pool = await this.#make();
      return this.#pool;
    } finally {
      // A query after one that failed tries again.
      this.#opening = null;
    }
  }
}
