import type { Pool } from "../pool.js";

/** The database of one key: opening, open, or closing. */
export class Tenant {
  /** Rejects with the error of opening it. */
  readonly pool: Promise<Pool>;
  readonly #refuse: (reason: unknown) => void;
  readonly #opening: Promise<void>;
  #open: Pool | null = null;
  #closing: Promise<void> | null = null;
  #uses = 0;
  #idleSince = 0;

  constructor(open: () => Promise<Pool>) {
    const { promise, resolve, reject } = Promise.withResolvers<Pool>();
    this.pool = promise;
    this.#refuse = reject;
    // The uses that wait for it get the error. If none is left, it is no unhandled rejection.
    promise.catch(() => {});
    // Deferred: `open` may use this very database, so it must be registered first.
    this.#opening = Promise.resolve()
      .then(open)
      .then((pool) => {
        this.#open = pool;
        resolve(pool);
      })
      .catch(reject);
  }

  get opening(): boolean {
    return this.#open === null && this.#closing === null;
  }

  get closing(): boolean {
    return this.#closing !== null;
  }

  /** It takes further uses. A user may have closed its pool. */
  get usable(): boolean {
    return this.#closing === null && this.#open?.closed !== true;
  }

  get uses(): number {
    return this.#uses;
  }

  get idle(): boolean {
    return this.#uses === 0 && this.#open !== null && this.#closing === null;
  }

  get idleSince(): number {
    return this.#idleSince;
  }

  enter(): void {
    this.#uses++;
  }

  leave(): void {
    this.#uses--;
    this.#idleSince = performance.now();
  }

  /** Closes it when it is open, within `timeout` ms. A second call returns the first one's promise. */
  close(timeout?: number): Promise<void> {
    this.#closing ??= this.#opening.then(() => this.#open?.close({ timeout }));
    return this.#closing;
  }

  /** Rejects the uses that wait for it. It is closed as soon as it has opened. */
  abandon(reason: Error): void {
    this.#refuse(reason);
    this.close(0).catch(() => {});
  }
}
