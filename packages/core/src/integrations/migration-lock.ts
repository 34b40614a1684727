import { connect } from "../connection/connect.js";
import type { Connection } from "../connection/connection.js";
import { OperationalError } from "../errors/errors.js";
import { isBusy } from "../errors/is-busy.js";

/** Ends a migration's turn. */
export type Release = () => Promise<void>;

/** Keeps other processes out, until the function that it gives is called. */
type KeepOthersOut = (timeout: number) => Promise<Release>;

interface Waiter {
  grant(): void;
  readonly timer: NodeJS.Timeout;
}

/** The longest that a timer can run, in ms. */
const LONGEST = 2 ** 31 - 1;

/**
 * The migrations of this process in a line: one at a time has its turn, and the others wait without a thread. What keeps
 * other processes out is handed from one to the next.
 */
export class MigrationLock {
  readonly #what: string;
  readonly #keepOthersOut: KeepOthersOut;
  /** Nobody has a turn or wants one. */
  readonly #forget: () => void;
  readonly #waiting: Waiter[] = [];
  #letOthersIn: Release | null = null;
  #taken = false;
  /** Ends when others can have been let in. */
  #lettingIn: Promise<void> = Promise.resolve();

  private constructor(what: string, keepOthersOut: KeepOthersOut, forget: () => void = () => {}) {
    this.#what = what;
    this.#keepOthersOut = keepOthersOut;
    this.#forget = forget;
  }

  /** For a database in memory, of which no other process knows. */
  static inMemory(): MigrationLock {
    return new MigrationLock("another migration is running", async () => async () => {});
  }

  /**
   * For a database in a file: locks a small database beside it, by SQLite's own lock, so that it holds across processes
   * and ends with the process that has it, and that statements outside a transaction can be run meanwhile. `whose` is part of
   * its name.
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

  /** Waits for a turn, for `timeout` ms at the most. Rejects with SQLITE_BUSY. */
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

  /** Gives the turn to the next in line, or lets others in where there is none. */
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

/** Those of files, by path; several pools of a process may have the same file. */
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
