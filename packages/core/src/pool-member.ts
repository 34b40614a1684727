import type { Opened, OpenOptions } from "@sqlite-aio/worker/wire";
import { Verb } from "@sqlite-aio/worker/wire";
import type { Call } from "./call.js";
import { Channel } from "./channel.js";
import { Connection } from "./connection.js";
import { ConnectionClosedError, ProgrammingError } from "./errors.js";
import { type FunctionOptions, functionSpec, type SqlFunction } from "./functions.js";
import type { ResolvedPoolOptions } from "./pool-options.js";
import { Lane } from "./queue.js";
import { Row } from "./row.js";
import { Runner, type Settings } from "./runner.js";

/** A SQL function that every connection of a pool has. */
export interface PoolFunction {
  readonly name: string;
  readonly parameters: number;
  readonly fn: SqlFunction | URL;
  readonly options: FunctionOptions;
}

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
  readonly channel: Channel;
  readonly root: Lane;
  readonly runner: Runner;
  readonly #options: ResolvedPoolOptions;
  readonly #path: string;
  /** Calls that are not over in the thread. */
  load = 0;
  /** Of those, the ones that are not known to be quick. */
  slow = 0;
  /** Given up by their callers while they were running. */
  stuck = 0;
  holder: Holder | null = null;
  /** Being opened afresh, or about to close. */
  resting = false;
  idleSince = performance.now();

  private constructor(role: Role, channel: Channel, options: ResolvedPoolOptions) {
    this.role = role;
    this.channel = channel;
    this.#options = options;
    this.#path = options.connection.thread.open.path;
    this.root = new Lane(channel);
    this.runner = new Runner(channel, this.root, this.root, settingsOf(options, "pool"));
  }

  static async open(
    role: Role,
    options: ResolvedPoolOptions,
    functions: Iterable<PoolFunction>,
  ): Promise<{ member: Member; opened: Opened }> {
    const thread = { ...options.connection.thread, open: openOptions(role, options) };
    const { channel, opened } = await Channel.open(thread);
    const member = new Member(role, channel, options);
    try {
      for (const definition of functions) await member.define(definition);
      if (options.onConnect !== undefined) {
        await options.onConnect(
          member.face(new Runner(channel, member.root, member.root, settingsOf(options, "mirror"))),
        );
        if (channel.inTransaction) {
          await member.runner.perform(member.runner.control(Verb.ROLLBACK));
        }
      }
    } catch (error) {
      await channel.terminate();
      throw error;
    }
    return { member, opened };
  }

  get idle(): boolean {
    return this.load === 0 && this.free;
  }

  /** Nobody has it to himself. */
  get free(): boolean {
    return this.holder === null && !this.resting && this.channel.alive;
  }

  /** Takes further quick calls although some are under way: they are over before another thread would wake up. */
  get open(): boolean {
    return this.slow === 0 && this.free;
  }

  /** Counts a call until the thread is done with it. */
  track(call: Call, quick: boolean, done: (call: Call) => void): void {
    this.load++;
    if (!quick) this.slow++;
    call.finishedHook = (finished) => {
      this.load--;
      if (!quick) this.slow--;
      if (this.load === 0) this.idleSince = performance.now();
      done(finished);
    };
  }

  /** Notes that the thread still runs a call that its caller gave up. */
  setAside(call: Call): void {
    this.stuck++;
    const done = call.finishedHook;
    call.finishedHook = (finished) => {
      this.stuck--;
      done?.(finished);
    };
  }

  /** Runs `work` when all that was called before is done, and before what is called after. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const lane = await this.root.lease();
    try {
      const inner = this.runner.within(lane, true);
      await inner.perform(inner.control(Verb.BARRIER));
      return await work();
    } finally {
      lane.end(new ProgrammingError("the call is over"));
    }
  }

  async reopen(): Promise<void> {
    await this.channel.outOfBand((remote) => remote.reopen());
    this.channel.tainted = false;
  }

  /** Ends the thread; not in time: whatever it is doing. */
  async close(inTime: boolean): Promise<void> {
    this.runner.closed = true;
    if (inTime) await this.channel.close().catch(() => {});
    else void this.channel.terminate();
    this.root.end(new ConnectionClosedError("Pool closed"));
  }

  async define({ name, parameters, fn, options }: PoolFunction): Promise<void> {
    const spec = functionSpec(name, parameters, fn, options, this.channel.closures);
    await this.channel.outOfBand((remote) => remote.createFunction(spec, true));
  }

  /** The runner of a lease: with settings of its own, so that the next holder finds the pool's. */
  leased(lane: Lane, settings: "pool" | "mirror"): Runner {
    return new Runner(this.channel, this.root, lane, settingsOf(this.#options, settings));
  }

  face(runner: Runner, release?: () => Promise<void>): Connection {
    return new Connection(runner, this.#path, release);
  }

  /**
   * Ends a lease. The thread rolls back and lets go of cursors; a connection that was changed beyond that is opened
   * afresh, and nobody gets it before.
   */
  async scrub(lane: Lane, runner: Runner): Promise<void> {
    this.resting = true;
    const inner = runner.within(lane, true);
    try {
      const scrub = inner.control(Verb.SCRUB);
      inner.submit(scrub, undefined, null);
      runner.closed = true;
      lane.end(new ProgrammingError("the lease is over", { code: "SQLITE_MISUSE" }));
      await scrub.promise;
      if (this.channel.tainted || this.channel.inTransaction) {
        await this.reopen();
      }
    } catch {
      // Not proven clean: never used again.
      await this.channel.terminate();
    } finally {
      this.holder = null;
      this.resting = false;
      this.idleSince = performance.now();
    }
  }
}

function settingsOf(options: ResolvedPoolOptions, kind: "pool" | "mirror"): Settings {
  const { connection } = options;
  return {
    isolationLevel: kind === "pool" ? null : connection.isolationLevel,
    rowFactory: kind === "pool" ? Row : null,
    textFactory: String,
    detectTypes: connection.detectTypes,
    integers: connection.thread.open.integers,
    iterChunkSize: kind === "pool" ? POOL_CHUNK : connection.iterChunkSize,
    maxQueue: Number.MAX_SAFE_INTEGER,
    lasting: false,
    interrupts: 0,
  };
}

/** Rows that `iterate` fetches at a time: a full packet, which the loop builds in about a millisecond. */
const POOL_CHUNK = 2048;

/** The log may grow to this many bytes between checkpoints without keeping the space afterwards. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

function openOptions(role: Role, options: ResolvedPoolOptions): OpenOptions {
  const { open } = options.connection.thread;
  const pragmas: [string, string][] = [];
  if (options.wal && role === "writer") {
    pragmas.push(["journal_mode", "'wal'"], ["journal_size_limit", String(JOURNAL_SIZE_LIMIT)]);
    if (options.checkpoint === "external") pragmas.push(["wal_autocheckpoint", "0"]);
  }
  pragmas.push(...(open.pragmas as [string, string][]));
  return role === "reader" ? { ...open, readonly: true, queryOnly: true, pragmas } : { ...open, pragmas };
}
