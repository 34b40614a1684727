import type { Pool } from "../pool.js";

/** The database of one key: it is being opened, open, or being closed. */
export class Tenant {
  /** Rejects with what opening it has met. */
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
    // Everybody who waits for it is told; if they have all left, nobody has to be.
    promise.catch(() => {});
    // Not at once: what is called may use the database itself, which has to be known by then.
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

  /** It takes further uses. Its pool may have been closed by somebody who was given it. */
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

  /** Closes it when it is open, for `timeout` ms at the most. A second call is the first. */
  close(timeout?: number): Promise<void> {
    this.#closing ??= this.#opening.then(() => this.#open?.close({ timeout }));
    return this.#closing;
  }

  /** Tells those who wait for it that it is given up. It is closed as soon as it has been opened. */
  abandon(reason: Error): void {
    this.#refuse(reason);
    this.close(0).catch(() => {});
  }
}
