import { connect } from "../connection/connect.js";
import type { Connection } from "../connection/connection.js";
import { OperationalError } from "../errors/errors.js";
import { isBusy } from "../errors/is-busy.js";

/** Ends a migration's turn. */
export type Release = () => Promise<void>;

/** Keeps other processes out, until the returned function is called. */
type KeepOthersOut = (timeout: number) => Promise<Release>;

interface Waiter {
  grant(): void;
  readonly timer: NodeJS.Timeout;
}

/** Longest delay of a timer, in ms. */
const LONGEST = 2 ** 31 - 1;

/**
 * Serialises migrations. Those of this process wait in a queue, without a thread. The lock against other processes is
 * passed from one migration to the next.
 */
export class MigrationLock {
  readonly #what: string;
  readonly #keepOthersOut: KeepOthersOut;
  /** Called when no migration runs or waits. */
  readonly #forget: () => void;
  readonly #waiting: Waiter[] = [];
  #letOthersIn: Release | null = null;
  #taken = false;
  /** Resolves when the lock against other processes is released. */
  #lettingIn: Promise<void> = Promise.resolve();

  private constructor(what: string, keepOthersOut: KeepOthersOut, forget: () => void = () => {}) {
    this.#what = what;
    this.#keepOthersOut = keepOthersOut;
    this.#forget = forget;
  }

  /** For an in-memory database, which no other process can see. */
  static inMemory(): MigrationLock {
    return new MigrationLock("another migration is running", async () => async () => {});
  }

  /**
   * For a file: locks a small database beside it with SQLite's own lock. So the lock works between processes, ends with
   * its process, and does not stop statements outside a transaction. `whose` becomes part of the lock file's name.
   */
  static beside(file: string, whose: string): MigrationLock {
    const path = `${file}-${whose}-lock`;
    let lock = locks.get(path);
    if (lock === undefined) {
      lock = new MigrationLock(
        `another migration holds the lock ${path}`,
        (timeout) => lockFile(path, timeout),
        () => locks.delete(path),
      );
      locks.set(path, lock);
    }
    return lock;
  }

  /** Waits for a turn, `timeout` ms at most. Rejects with SQLITE_BUSY. */
  async take(timeout: number): Promise<Release> {
    const deadline = performance.now() + timeout;
    if (this.#taken) await this.#wait(timeout);
    this.#taken = true;
    try {
      await this.#lettingIn;
      this.#letOthersIn ??= await this.#keepOthersOut(Math.max(0, Math.ceil(deadline - performance.now())));
    } catch (error) {
      await this.#next();
      if (!isBusy(error)) throw error;
      throw this.#busy(timeout, error);
    }
    let over = false;
    return async () => {
      if (over) return;
      over = true;
      await this.#next();
    };
  }

  #wait(timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        const at = this.#waiting.findIndex(({ timer: one }) => one === timer);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(this.#busy(timeout));
      };
      if (timeout === 0) {
        reject(this.#busy(timeout));
        return;
      }
      const timer = setTimeout(giveUp, Math.min(timeout, LONGEST));
      this.#waiting.push({ grant: resolve, timer });
    });
  }

  /** Gives the turn to the next migration, or releases the lock if there is none. */
  async #next(): Promise<void> {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      clearTimeout(next.timer);
      next.grant();
      return;
    }
    this.#taken = false;
    const letIn = this.#letOthersIn;
    this.#letOthersIn = null;
    const done = letIn?.() ?? Promise.resolve();
    this.#lettingIn = done.catch(() => {});
    await done;
    if (!this.#taken) this.#forget();
  }

  #busy(timeout: number, cause?: OperationalError): OperationalError {
    return new OperationalError(`${this.#what} for more than ${timeout} ms`, {
      code: cause?.code ?? "SQLITE_BUSY",
      cause,
    });
  }
}

/** The locks of files, by path: several pools of a process may use the same file. */
const locks = new Map<string, MigrationLock>();

async function lockFile(path: string, timeout: number): Promise<Release> {
  let connection: Connection | null = null;
  try {
    connection = await connect(path, { timeout, isolationLevel: null });
    await connection.execute("BEGIN EXCLUSIVE");
    return () => connection!.close();
  } catch (error) {
    await connection?.close();
    throw error;
  }
}
