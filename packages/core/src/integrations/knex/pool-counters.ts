/** What the counters are read from; see `pool.stats()`. */
export interface CountedPool {
  /** Connections with something to do, those that have nothing to do, and calls that wait for one. */
  stats?(): { readonly busy: number; readonly idle: number; readonly waiting: number };
}

/** `client.pool` as applications read it: the counters that Knex's own pool has. */
export class PoolCounters {
  /** Of connections that are kept open. */
  readonly min = 0;
  readonly #source: { readonly pool: CountedPool | null; readonly opening: boolean };

  constructor(source: { readonly pool: CountedPool | null; readonly opening: boolean }) {
    this.#source = source;
  }

  /** Connections that run something, or are lent. */
  numUsed(): number {
    return this.#stats()?.busy ?? 0;
  }

  /** Connections that have nothing to do. */
  numFree(): number {
    return this.#stats()?.idle ?? 0;
  }

  /** Calls that wait for a connection. */
  numPendingAcquires(): number {
    return this.#stats()?.waiting ?? 0;
  }

  /** 1 while the pool is being opened. */
  numPendingCreates(): number {
    return this.#source.opening ? 1 : 0;
  }

  /** Connections are not validated: one whose thread has died is replaced. */
  numPendingValidations(): number {
    return 0;
  }

  #stats(): ReturnType<NonNullable<CountedPool["stats"]>> | undefined {
    return this.#source.pool?.stats?.();
  }
}
