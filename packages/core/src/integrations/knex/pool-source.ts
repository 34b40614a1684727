/** What is opened and closed. */
interface Closable {
  close(): Promise<void>;
}

/** Where a client has its pool from: one that is there, or a function that opens it, again after it was closed. */
export class PoolSource<P extends Closable> {
  readonly #make: () => Promise<P>;
  #opening: Promise<P> | null = null;
  #pool: P | null = null;

  constructor(pool: P | (() => Promise<P>)) {
    this.#make = typeof pool === "function" ? pool : async () => pool;
    if (typeof pool !== "function") void this.open();
  }

  /** The pool that is open; null before it is, and after it was closed. */
  get pool(): P | null {
    return this.#pool;
  }

  /** The pool is being opened. */
  get opening(): boolean {
    return this.#opening !== null && this.#pool === null;
  }

  open(): Promise<P> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Closes what is open or being opened. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    const pool = await opening;
    this.#pool = null;
    await pool?.close();
  }

  async #open(): Promise<P> {
    try {
      this.#pool = await this.#make();
      return this.#pool;
    } catch (error) {
      this.#opening = null;
      throw error;
    }
  }
}
