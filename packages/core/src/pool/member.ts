import { messageOf, Verb } from "@sqlite-aio/worker/wire";
import type { Call } from "../thread/call.js";
import type { Progress } from "../thread/cancellation.js";
import { WorkerThread } from "../thread/worker-thread.js";
import { Connection } from "../connection/connection.js";
import {
  ConnectionClosedError,
  NotSupportedError,
  ProgrammingError,
  WorkerCrashedError,
} from "../errors/errors.js";
import { now } from "../thread/event-loop.js";
import { isInstance } from "../errors/is-instance.js";
import type { PoolFunction, PoolFunctions } from "./functions.js";
import type { ResolvedPoolOptions } from "./options.js";
import { openOptions } from "./open-options.js";
import { settingsFor } from "../connection/settings.js";
import { Lane } from "../connection/lane.js";
import { Handle, type Settings } from "../connection/handle.js";
import { isQuick } from "./statement-profile.js";
import { foundSqliteVersion } from "../version.js";

export type Role = "reader" | "writer";

/** The holder of a member, named in the errors of those who wait. */
export interface Holder {
  readonly what: string;
  readonly since: number;
  readonly place: string | undefined;
}

/** One connection of a pool: its thread, and what it is doing. */
export class Member {
  readonly role: Role;
  readonly channel: WorkerThread;
  readonly root: Lane;
  readonly handle: Handle;
  readonly #options: ResolvedPoolOptions;
  readonly #functions: PoolFunctions;
  /** The pool's functions that are defined on this connection. */
  readonly #defined = new Map<string, PoolFunction>();
  /** Settled when the latest definition of a key is done. */
  readonly #defining = new Map<string, Promise<void>>();
  /** Calls that the thread has not finished. */
  load = 0;
  /** How many of them the pool itself has made. */
  housekeeping = 0;
  /** How many of them are not known to be quick. */
  slow = 0;
  /** Expected milliseconds of the quick ones together. */
  work = 0;
  /** Calls that still run although their callers have given them up. */
  stuck = 0;
  holder: Holder | null = null;
  /** Timer that expires calls which wait in the thread. */
  watch: NodeJS.Timeout | undefined;
  idleSince = performance.now();
  /** The progress handler that `onConnect` has set. */
  #progress: Progress | null = null;
  /** Called when a lease is ended by force. */
  onRevoke: ((reason: Error) => void) | null = null;
  /** Its present call began no earlier: see {@link busyFor}. */
  #callSince = Number.NEGATIVE_INFINITY;
  /** Above zero while it is prepared for the next caller. */
  #resting = 0;
  /** The thread's number counter when the present lease began. */
  #numbers = 0;

  private constructor(
    role: Role,
    channel: WorkerThread,
    options: ResolvedPoolOptions,
    functions: PoolFunctions,
  ) {
    this.role = role;
    this.channel = channel;
    this.#options = options;
    this.#functions = functions;
    this.root = new Lane(channel);
    this.handle = new Handle(channel, this.root, this.root, this.#settings("pool"));
  }

  /** Starts a thread. The member must be {@link prepare}d before its first use. */
  static async start(
    role: Role,
    options: ResolvedPoolOptions,
    functions: PoolFunctions,
    signal: AbortSignal,
  ): Promise<Member> {
    const thread = { ...options.connection.thread, open: openOptions(role, options) };
    const { channel, opened } = await WorkerThread.open(thread, signal);
    foundSqliteVersion(opened.sqliteVersion);
    if (options.memory && !opened.serializes) {
      await channel.terminate();
      throw new NotSupportedError(NEEDS_SERIALIZE, { code: "SQLITE_AIO_ENGINE" });
    }
    return new Member(role, channel, options, functions);
  }

  get idle(): boolean {
    return this.load === 0 && this.free;
  }

  /** No user's call is under way; the pool's own may be. */
  get unused(): boolean {
    return this.load === this.housekeeping && this.free;
  }

  /** No caller holds it. */
  get free(): boolean {
    return this.holder === null && this.stuck === 0 && this.#resting === 0 && this.channel.alive;
  }

  /** Takes further quick calls although others are under way: they finish before another thread would wake up. */
  get open(): boolean {
    return this.slow === 0 && this.free;
  }

  /** What it is doing, as the predicate of a sentence in an error. */
  get doing(): string {
    const { holder } = this;
    if (this.stuck > 0) {
      const lock = this.role === "writer" ? "; its lock stands until that ends" : "";
      return `runs a statement that its caller gave up${lock}`;
    }
    if (holder === null) return `runs ${this.load} calls`;
    const { place, since, what } = holder;
    return `is held by ${what}${place === undefined ? "" : ` at ${place}`} for ${Math.round(performance.now() - since)} ms`;
  }

  /**
   * Whether it has run its present call for more than `ms` milliseconds. The thread is asked only when that may have come
   * true: the words that it stores for each call are in the cache of its core.
   */
  busyFor(ms: number): boolean {
    const at = now();
    if (at - this.#callSince < ms) return false;
    const { busyMs } = this.channel;
    this.#callSince = at - busyMs;
    return busyMs > ms;
  }

  /** Counts a call until the thread has finished it. */
  track(call: Call, cost: number, done: () => void): void {
    const quick = isQuick(cost);
    this.load++;
    const { housekeeping } = call;
    if (housekeeping) this.housekeeping++;
    if (quick) this.work += cost;
    else this.slow++;
    call.queued(performance.now());
    call.onFinished(() => {
      this.load--;
      if (housekeeping) this.housekeeping--;
      if (quick) this.work -= cost;
      else this.slow--;
      if (this.load === 0) {
        this.work = 0;
        this.idleSince = performance.now();
      }
      done();
    });
  }

  /** Takes back the reads that wait behind the running call. They fail with {@link ELSEWHERE}. */
  recall(): void {
    if (this.load > 1) this.channel.recall(ELSEWHERE);
  }

  /** Notes that the thread still runs a call that its caller gave up. */
  setAside(call: Call, done: () => void): void {
    this.stuck++;
    call.onFinished(() => {
      this.stuck--;
      done();
    });
  }

  /** Gives a lane to one caller. The member must be free. */
  take(): Lane {
    this.#numbers = this.channel.numbers;
    return this.root.take();
  }

  /** Runs `work` after all earlier calls and before all later ones. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#resting++;
    try {
      const lane = await this.root.lease();
      try {
        const inner = this.handle.within(lane, false);
        await inner.perform(inner.control(Verb.BARRIER));
        return await work();
      } finally {
        lane.end(leaseOver);
      }
    } finally {
      this.#rested();
    }
  }

  /** Prepares a new connection: defines the pool's functions, and calls `onConnect`. */
  async prepare(): Promise<void> {
    await this.#catchUp();
    await this.#connected();
    // Functions that were created meanwhile.
    await this.#catchUp();
  }

  /** Ends the thread when its calls are done; see {@link WorkerThread.close}. */
  async close(emptiesLog = false): Promise<void> {
    clearTimeout(this.watch);
    this.handle.end();
    await this.channel.close(emptiesLog).catch(() => {});
    this.root.end(poolClosed);
  }

  /** Ends the thread, whatever it is doing. */
  async terminate(): Promise<void> {
    clearTimeout(this.watch);
    this.handle.end();
    const ended = this.channel.terminate();
    this.root.end(poolClosed);
    this.onRevoke?.(poolClosed());
    await ended;
  }

  has(key: string, definition: PoolFunction): boolean {
    return this.#defined.get(key) === definition;
  }

  /** Those of one name are defined in the order of the calls, even if one has to load a module first. */
  async define(key: string, definition: PoolFunction): Promise<void> {
    const before = this.#defining.get(key);
    const defining =
      before === undefined ? this.#define(key, definition) : before.then(() => this.#define(key, definition));
    const settled = defining.catch(() => {});
    this.#defining.set(key, settled);
    try {
      await defining;
    } finally {
      if (this.#defining.get(key) === settled) this.#defining.delete(key);
    }
  }

  async #define(key: string, definition: PoolFunction): Promise<void> {
    const made = definition.make(this.channel.closures);
    try {
      await this.channel.define(made, true);
    } catch (error) {
      this.channel.closures.forget(made.source);
      throw error;
    }
    this.#defined.set(key, definition);
  }

  /** A handle for a lease. It has its own settings, so that changes do not reach the next holder. */
  leased(lane: Lane, settings: "pool" | "lease"): Handle {
    // A connection's methods can change more than statements can, so the short cut of #isClean is off.
    if (settings === "lease") this.#numbers = Number.NaN;
    return new Handle(this.channel, this.root, lane, this.#settings(settings));
  }

  #settings(kind: "pool" | "lease"): Settings {
    return settingsFor(this.#options.connection, kind, this.#options.callTimeout);
  }

  face(handle: Handle, release: () => Promise<void>): Connection {
    return new Connection(handle, this.#options.connection.thread.open.path, release);
  }

  /**
   * Ends a lease. The thread rolls back and closes cursors. If the connection was changed beyond that, it is reopened
   * before anybody else gets it. True if a transaction was still open. Never rejects. `onStuck` is called if the thread
   * is busy with something that the holder has given up.
   */
  async scrub(lane: Lane, handle: Handle, onStuck: () => void): Promise<boolean> {
    this.#resting++;
    this.onRevoke = null;
    handle.end();
    // Calls and transactions that wait inside the lease end with it.
    lane.abandon(leaseOver);
    if (this.#isClean) {
      lane.end(leaseOver);
      this.#takeBack(handle);
      return false;
    }
    handle.cursors.closeAll();
    let stuck = false;
    const setAside = (): void => {
      stuck = true;
      this.stuck++;
      onStuck();
    };
    const timer = setTimeout(setAside, this.channel.abandoned ? 0 : STUCK_MS).unref();
    let open = false;
    try {
      const scrub = handle.control(Verb.SCRUB);
      lane.submit(scrub);
      lane.end(leaseOver);
      open = (await handle.settle(scrub)).value === true;
      await this.#settled();
      if (this.channel.tainted || this.channel.inTransaction) await this.#reopen();
      await this.#catchUp();
    } catch {
      // A member that cannot be cleaned is never used again. If the pool closes meanwhile, do not wait for a native
      // call.
      const ended = this.channel.terminate();
      if (!this.root.ended) await ended;
    } finally {
      clearTimeout(timer);
      if (stuck) this.stuck--;
      this.#takeBack(handle);
    }
    return open;
  }

  #takeBack(handle: Handle): void {
    handle.endLease();
    if (this.channel.progress !== this.#progress) this.channel.setProgress(this.#progress);
    this.holder = null;
    this.#rested();
  }

  /**
   * The thread's last answer shows that the connection is clean: no call under way, no cursor opened, no state left.
   */
  get #isClean(): boolean {
    const { channel } = this;
    if (channel.pending > 0 || channel.numbers !== this.#numbers) return false;
    return (
      channel.alive &&
      !channel.inTransaction &&
      !channel.tainted &&
      this.#functions.lacking(this.#defined) === undefined
    );
  }

  /** Waits for work of the holder outside the queue: a function being loaded, a backup. */
  async #settled(): Promise<void> {
    if (!this.channel.busyOutOfBand) return;
    await this.channel.outOfBandOver();
    // That work may have changed the connection after its state was reported. Ask again.
    await this.handle.perform(this.handle.control(Verb.BARRIER));
  }

  async #reopen(): Promise<void> {
    await this.channel.reopen();
    try {
      await this.#connected();
    } catch (error) {
      // An in-memory database has no other copy, so keep the connection.
      if (!this.#options.memory || !this.channel.alive) throw error;
      process.emitWarning(`onConnect failed on a connection that was opened afresh: ${messageOf(error)}`);
    }
  }

  async #connected(): Promise<void> {
    const { onConnect } = this.#options;
    if (onConnect === undefined) return;
    const lane = this.root.take();
    try {
      const handle = this.leased(lane, "lease");
      const queryOnly = (on: number): Promise<unknown> | null =>
        this.role === "writer"
          ? null
          : handle.within(lane, false).perform(handle.script(`PRAGMA query_only = ${on}`, 0));
      // `onConnect` may create temporary tables, also on a reader.
      await queryOnly(0);
      const connect = async (): Promise<void> => void (await onConnect(this.face(handle, async () => {})));
      const failure = await connect().then(
        () => null,
        (error: unknown) => ({ error }),
      );
      handle.end();
      lane.abandon(leaseOver);
      await this.channel.outOfBandOver();
      await queryOnly(1);
      // What onConnect has set up belongs to the clean state.
      const settle = handle.control(Verb.SETTLE);
      lane.submit(settle);
      await handle.settle(settle);
      this.#progress = this.channel.progress;
      // It may have put functions in the place of the pool's, which were created after the pool was connected.
      this.#defined.clear();
      if (failure !== null) throw failure.error;
    } finally {
      lane.end(leaseOver);
    }
  }

  /** Defines the pool's functions that are missing. One that is refused here, and still being tried, is no harm. */
  async #catchUp(): Promise<void> {
    const refused = new Set<PoolFunction>();
    for (;;) {
      const next = this.#functions.lacking(this.#defined, refused);
      if (next === undefined) return;
      try {
        await this.define(...next);
      } catch (error) {
        if (!this.channel.alive || !this.#functions.isTried(next[1])) throw error;
        refused.add(next[1]);
      }
    }
  }

  #rested(): void {
    this.#resting--;
    this.idleSince = performance.now();
  }
}

/** The reason of a call that was taken back because another member can run it. */
export const ELSEWHERE = Symbol("to be run elsewhere");

const NEEDS_SERIALIZE = "a pool in memory needs an engine with serialize(), to clean up after its callers";

/** Milliseconds that ending a lease may take before the thread counts as stuck. */
const STUCK_MS = 200;

/** @internal */
export function poolClosed(): ConnectionClosedError {
  return new ConnectionClosedError("Pool closed");
}

function leaseOver(): ProgrammingError {
  return new ProgrammingError("the lease is over", { code: "SQLITE_MISUSE" });
}

/** The error of a thread that died while it was opened. None of the waiting calls has begun. */
export function notOpened(error: unknown): unknown {
  if (!isInstance(error, WorkerCrashedError)) return error;
  return new WorkerCrashedError("a connection's thread died while it was opened", "not-started", {
    cause: error.cause,
  });
}
