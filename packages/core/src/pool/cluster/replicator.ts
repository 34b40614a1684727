import type { PoolStats } from "../stats.js";
import type { ReplicaSpec } from "@sqlite-aio/worker/wire";
import { ConnectionClosedError, PrimaryError } from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";
import type { ThreadOptions } from "../../options/connect-options.js";
import { type Deadline, within } from "../../options/deadline.js";
import { ReplicaThread } from "./replica-thread.js";

/** The result of a `sync()`. */
export interface SyncResult {
  /** Frames of the primary's log that have arrived; each frame is a page. */
  readonly frames: number;
  /** Number of the newest frame in the replica; null if there is none. */
  readonly newest: number | null;
}

/** The state of a replica, and of the pool that reads it. */
export interface ReplicaStats extends ReplicaState {
  /** The pool that reads it. */
  readonly pool: PoolStats;
}

/** The state of a pool over a primary. */
export interface ClusterStats {
  /** Calls that were sent to the primary or wait for it, and transactions there. */
  pending: number;
  /** Busy connections, there and in the replica's pool. */
  busy: number;
  /** Idle connections of the replica's pool; 0 without a replica. */
  idle: number;
  /** Reads that wait for a connection of the replica's pool. */
  waiting: number;
  /** The state of the replica; null if there is none. */
  replica: ReplicaStats | null;
}

/** @internal The statistics of `pending` calls at the primary, and of the replica. */
export function clusterStats(pending: number, replica: ReplicaStats | null): ClusterStats {
  const { busy, idle, waiting } = replica?.pool ?? { busy: 0, idle: 0, waiting: 0 };
  return { pending, busy: pending + busy, idle, waiting, replica };
}

/** The state of a replica. */
export interface ReplicaState {
  /** Start of the latest successful sync, as `Date.now()`; null if there was none. */
  readonly syncedAt: number | null;
  /** Number of the newest frame in the replica; null if there is none. */
  readonly newest: number | null;
  /** The replica lacks a write of this pool that was answered already. */
  readonly stale: boolean;
  /** Why the latest sync failed; null if it succeeded. */
  readonly error: Error | null;
}

/** What a replicator needs from the rest of the pool. */
export interface ReplicatorSettings {
  readonly thread: ThreadOptions;
  readonly spec: ReplicaSpec;
  /** Milliseconds between syncs; 0: only on request. */
  readonly interval: number;
  /** Milliseconds that a caller waits for a sync. */
  readonly timeout: number;
  /** The primary's name in errors. */
  readonly host: string;
  /**
   * Called before the first sync, after a failure, and from time to time. Rejects if the primary cannot be reached, or
   * is another one.
   */
  verify(): Promise<void>;
  /** Called when frames have arrived. */
  arrived(): void;
}

/** Milliseconds before a retry, doubled with each failure up to the second value. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 4000;
/** Milliseconds after which the primary's identity is checked again. */
const VERIFY_MS = 10_000;
/** Milliseconds that closing waits for a sync that hangs. */
const CLOSE_MS = 1000;

/** One sync, which several callers may wait for. */
interface Round {
  readonly promise: Promise<SyncResult>;
  resolve(result: SyncResult): void;
  reject(error: unknown): void;
}

/**
 * Keeps a replica up to date. A caller always gets a sync that begins after the call, so it contains everything
 * acknowledged before. Callers that come during a sync share the next one.
 */
export class Replicator {
  readonly #settings: ReplicatorSettings;
  #thread: ReplicaThread | null = null;
  #next: Round | null = null;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #verifiedAt = Number.NEGATIVE_INFINITY;
  #closed = false;
  #syncedAt: number | null = null;
  #newest: number | null = null;
  #error: Error | null = null;
  /**
   * Numbers of the latest write, of the latest write that was answered without a sync, and of the latest write that a
   * sync has brought.
   */
  #written = 0;
  #missed = 0;
  #brought = 0;

  private constructor(settings: ReplicatorSettings) {
    this.#settings = settings;
  }

  /** Claims the replica for this pool. Rejects if another pool has it, or if the file is no replica. */
  static async start(settings: ReplicatorSettings): Promise<Replicator> {
    const replicator = new Replicator(settings);
    replicator.#thread = await ReplicaThread.start(settings.thread, settings.spec);
    return replicator;
  }

  get state(): ReplicaState {
    const stale = this.#missed > this.#brought;
    return { syncedAt: this.#syncedAt, newest: this.#newest, stale, error: this.#error };
  }

  /**
   * Resolves when the replica has everything that the primary acknowledged before. Failures that may pass are retried
   * for `timeout` ms; 0: a single attempt, without a time limit.
   */
  async sync(deadline?: Deadline, timeout = this.#settings.timeout): Promise<SyncResult> {
    const end = performance.now() + timeout;
    const wait = <T>(work: Promise<T>): Promise<T> => deadline?.race(work) ?? work;
    for (;;) {
      try {
        return await wait(this.#join(timeout === 0 ? 0 : Math.max(1, end - performance.now())));
      } catch (error) {
        if (deadline?.over === true || !mayPass(error) || performance.now() + this.#pause >= end) throw error;
      }
      await wait(sleep(this.#pause));
    }
  }

  /**
   * Call it after a write was acknowledged. Resolves when the replica has the write, or when that is known to take
   * longer.
   */
  async caughtUp(): Promise<void> {
    const number = ++this.#written;
    const end = performance.now() + this.#settings.timeout;
    for (;;) {
      try {
        await this.#join(Math.max(1, end - performance.now()));
        return;
      } catch (error) {
        if (this.#closed) return;
        // The server answers, but cannot send frames at the moment.
        if (isSyncError(error) && performance.now() + this.#pause < end) {
          await sleep(this.#pause);
          continue;
        }
        if (!this.state.stale) {
          process.emitWarning(
            `a write has succeeded, and reads do not see it yet (${(error as Error).message})`,
            { type: "ReplicaWarning", code: "SQLITE_AIO_STALE" },
          );
        }
        this.#missed = number;
        this.#plan();
        return;
      }
    }
  }

  /**
   * Ends the thread. A thread whose sync hangs is left alone and keeps the lock: it may still write into the file, so
   * no other may.
   */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#next?.reject(closed());
    this.#next = null;
    const isIdle = this.#running === null || (await within(CLOSE_MS, this.#running));
    if (isIdle) await this.#thread?.close();
    else void this.#running?.then(() => this.#thread?.close());
  }

  get #pause(): number {
    return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, this.#failures - 1));
  }

  /** Waits for the next sync to begin and end, `timeout` ms at most; 0: without a limit. */
  async #join(timeout: number): Promise<SyncResult> {
    const round = this.#ask();
    const release = this.#thread?.hold();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (timeout > 0) timer = setTimeout(() => reject(this.#late()), timeout);
    });
    try {
      return await Promise.race([round, late]);
    } finally {
      clearTimeout(timer);
      release?.();
    }
  }

  #ask(): Promise<SyncResult> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#next === null) {
      this.#next = Promise.withResolvers<SyncResult>();
      this.#next.promise.catch(() => {});
    }
    const { promise } = this.#next;
    this.#running ??= this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    for (let round = this.#next; round !== null; round = this.#next) {
      this.#next = null;
      try {
        round.resolve(await this.#pull());
      } catch (error) {
        round.reject(error);
        // Callers that came meanwhile get the same error. They may retry after a pause.
        (this.#next as Round | null)?.reject(error);
        this.#next = null;
      }
    }
    this.#running = null;
    this.#plan();
  }

  async #pull(): Promise<SyncResult> {
    const { thread, spec, host, verify, arrived } = this.#settings;
    const written = this.#written;
    try {
      if (this.#failures > 0 || performance.now() > this.#verifiedAt + VERIFY_MS) {
        await verify();
        this.#verifiedAt = performance.now();
      }
      if (this.#thread?.alive !== true) this.#thread = await ReplicaThread.start(thread, spec);
      const began = Date.now();
      const answer = await this.#thread.ask("sync");
      if (!answer.ok) throw syncError(answer.fault.message, host);
      this.#failures = 0;
      this.#error = null;
      this.#brought = written;
      this.#syncedAt = began;
      this.#newest = answer.newest;
      if (answer.frames > 0) arrived();
      return { frames: answer.frames, newest: answer.newest };
    } catch (error) {
      this.#failures++;
      this.#error = error as Error;
      throw error;
    }
  }

  /** Schedules the next sync. */
  #plan(): void {
    clearTimeout(this.#timer);
    const { interval } = this.#settings;
    if (this.#closed || this.#running !== null || (interval === 0 && !this.state.stale)) return;
    const pause = this.#failures > 0 ? Math.max(interval, this.#pause) : interval;
    this.#timer = setTimeout(() => void this.#ask().catch(() => {}), pause).unref();
  }

  #late(): PrimaryError {
    const { host, timeout } = this.#settings;
    const message = `the primary at ${host} has not sent what is new within ${timeout} ms`;
    return new PrimaryError(message, "not-started", { code: "SQLITE_AIO_SYNC_TIMEOUT" });
  }
}

/** Whether a retry may help soon. */
function mayPass(error: unknown): boolean {
  return (
    isSyncError(error) || (isInstance(error, PrimaryError) && error.code === "SQLITE_AIO_PRIMARY_UNREACHABLE")
  );
}

function isSyncError(error: unknown): boolean {
  return isInstance(error, PrimaryError) && error.code === "SQLITE_AIO_SYNC";
}

function syncError(text: string, host: string): PrimaryError {
  const message = `the replica could not be synced with the primary at ${host}: ${text.replace(/^sync error: /i, "")}`;
  return new PrimaryError(message, "not-started", { code: "SQLITE_AIO_SYNC" });
}

function closed(): ConnectionClosedError {
  return new ConnectionClosedError("the pool is closed");
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
