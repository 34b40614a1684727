import { messageOf, Verb } from "@sqlite-aio/worker/wire";
import type { Call } from "../thread/call.js";
import type { Progress } from "../thread/cancellation.js";
import { WorkerThread } from "../thread/worker-thread.js";
import { Connection } from "../connection/connection.js";
import { ConnectionClosedError, NotSupportedError, ProgrammingError } from "../errors/errors.js";
import type { PoolFunction, PoolFunctions } from "./functions.js";
import type { ResolvedPoolOptions } from "./options.js";
import { openOptions } from "./open-options.js";
import { settingsFor } from "../connection/settings.js";
import { Lane } from "../connection/lane.js";
import { Handle, type Settings } from "../connection/handle.js";
import { isQuick } from "./statement-profile.js";
import { foundSqliteVersion } from "../version.js";

export type Role = "reader" | "writer";

/** Who holds a member, for the errors of those who wait. */
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
  /** Those of the pool's functions that it has. */
  readonly #defined = new Map<string, PoolFunction>();
  /** Calls that are not over in the thread. */
  load = 0;
  /** Of those, the ones that nobody has called. */
  housekeeping = 0;
  /** Of those, the ones that are not known to be quick. */
  slow = 0;
  /** Milliseconds that the quick ones will take together, as far as is known. */
  work = 0;
  /** Calls that were given up by their callers while they were running, and still are. */
  stuck = 0;
  holder: Holder | null = null;
  /** For the calls that wait in the thread. */
  watch: NodeJS.Timeout | undefined;
  idleSince = performance.now();
  /** The progress handler that `onConnect` has set. */
  #progress: Progress | null = null;
  /** Called when a lease is ended by force. */
  onRevoke: ((reason: Error) => void) | null = null;
  /** Above zero while it is made ready for the next caller. */
  #resting = 0;
  /** Cursors opened before the present lease. */
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

  /** Starts a thread; before its first use the member is to be {@link prepare}d. */
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

  /** Nobody's call is under way, whatever the pool does by itself. */
  get unused(): boolean {
    return this.load === this.housekeeping && this.free;
  }

  /** Nobody has it to himself. */
  get free(): boolean {
    return this.holder === null && this.stuck === 0 && this.#resting === 0 && this.channel.alive;
  }

  /** Takes further quick calls although some are under way: they are over before another thread would wake up. */
  get open(): boolean {
    return this.slow === 0 && this.free;
  }

  /** What it is at, for those who wait: the predicate of a sentence. */
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

  /** Counts a call until the thread is done with it. */
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

  /** Takes back the reads that wait behind the one that the thread is at: they fail with {@link ELSEWHERE}. */
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

  /** A lane for one caller; nobody has one. */
  take(): Lane {
    this.#numbers = this.channel.numbers;
    return this.root.take();
  }

  /** Runs `work` when all that was called before is done, and before what is called after. */
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

  /** What a fresh handle needs before its first use: the pool's functions, and what `onConnect` does. */
  async prepare(): Promise<void> {
    await this.#catchUp();
    await this.#connected();
    // Those that were created meanwhile.
    await this.#catchUp();
  }

  /** Ends the thread when it is done with what it has. */
  async close(): Promise<void> {
    clearTimeout(this.watch);
    this.handle.end();
    await this.channel.close().catch(() => {});
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

  async define(key: string, definition: PoolFunction): Promise<void> {
    const made = definition.make(this.channel.closures);
    try {
      await this.channel.define(made, true);
    } catch (error) {
      this.channel.closures.forget(made.source);
      throw error;
    }
    this.#defined.set(key, definition);
  }

  /** The handle of a lease: with settings of its own, so that the next holder finds the pool's. */
  leased(lane: Lane, settings: "pool" | "lease"): Handle {
    // A connection's methods reach further than statements do.
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
   * Ends a lease. The thread rolls back and lets go of cursors; a connection that was changed beyond that is opened
   * afresh, and nobody gets it before. True if a transaction was still open. Never rejects. `onStuck` is called if the
   * thread does not get to it, because it runs something that the holder has given up.
   */
  async scrub(lane: Lane, handle: Handle, onStuck: () => void): Promise<boolean> {
    this.#resting++;
    this.onRevoke = null;
    handle.end();
    // What still waits inside of the lease, and a transaction() there, end with it.
    lane.abandon(leaseOver);
    if (this.#isClean) {
      lane.end(leaseOver);
      this.#takeBack(handle);
      return false;
    }
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
      // Not proven clean: never used again. If the pool is closed meanwhile, nobody waits for a native call to end.
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

  /** The thread's last answer proves it: nothing is under way, no cursor was opened, nothing is left. */
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

  /** Waits for what the holder has begun besides the frames: a function being loaded, a backup. */
  async #settled(): Promise<void> {
    if (!this.channel.busyOutOfBand) return;
    await this.channel.outOfBandOver();
    // That may have changed the connection after it was looked at.
    await this.handle.perform(this.handle.control(Verb.BARRIER));
  }

  async #reopen(): Promise<void> {
    await this.channel.reopen();
    try {
      await this.#connected();
    } catch (error) {
      // There is no other copy of a database in memory.
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
      // A reader may be given temporary tables.
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
      // What it has set up is how the connection is meant to be.
      const settle = handle.control(Verb.SETTLE);
      lane.submit(settle);
      await handle.settle(settle);
      this.#progress = this.channel.progress;
      if (failure !== null) throw failure.error;
    } finally {
      lane.end(leaseOver);
    }
  }

  /** Defines the functions of the pool that it lacks. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const next = this.#functions.lacking(this.#defined);
      if (next === undefined) return;
      await this.define(...next);
    }
  }

  #rested(): void {
    this.#resting--;
    this.idleSince = performance.now();
  }
}

/** Why a call was taken back that another member can run. */
export const ELSEWHERE = Symbol("to be run elsewhere");

const NEEDS_SERIALIZE = "a pool in memory needs an engine with serialize(), to clean up after its callers";

/** How long the end of a lease may take, in ms, before the thread counts as stuck. */
const STUCK_MS = 200;

/** @internal */
export function poolClosed(): ConnectionClosedError {
  return new ConnectionClosedError("Pool closed");
}

function leaseOver(): ProgrammingError {
  return new ProgrammingError("the lease is over", { code: "SQLITE_MISUSE" });
}
