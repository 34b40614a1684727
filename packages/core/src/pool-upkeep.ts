import { Mode } from "@sqlite-aio/worker/wire";
import type { Group } from "./pool-group.js";
import type { Member } from "./pool-member.js";
import type { ResolvedPoolOptions } from "./pool-options.js";

/** Milliseconds without a write after which the log is checkpointed. */
const QUIET_MS = 1000;

/** What a pool does when nothing else is to be done: it checkpoints, and closes readers that nobody needs. */
export class Upkeep {
  readonly #options: ResolvedPoolOptions;
  readonly #writers: Group;
  readonly #readers: Group;
  readonly #reaper: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #dirty = false;
  #stopped = false;

  constructor(options: ResolvedPoolOptions, writers: Group, readers: Group) {
    this.#options = options;
    this.#writers = writers;
    this.#readers = readers;
    if (options.idleTimeout === 0 || readers === writers) return;
    this.#reaper = setInterval(() => this.#reap(), Math.max(10, options.idleTimeout / 2)).unref();
  }

  /** Something was written: the log is checkpointed when the writer falls idle. */
  wrote(): void {
    if (!this.#options.wal || this.#options.checkpoint === "external" || this.#stopped) return;
    this.#dirty = true;
    // Refreshed at most once per quiet time, not per write.
    this.#quiet ??= setTimeout(() => this.#checkpoint(), QUIET_MS).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#reaper);
    clearTimeout(this.#quiet);
  }

  /** Moves the whole log into the database and empties it, as far as readers of other processes allow. */
  async truncate(member: Member): Promise<void> {
    await this.#run(member, "PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #checkpoint(): void {
    this.#quiet = undefined;
    if (!this.#dirty || this.#stopped) return;
    const writer = this.#writers.members[0];
    if (writer === undefined || !writer.idle || performance.now() - writer.idleSince < QUIET_MS / 2) {
      this.#quiet = setTimeout(() => this.#checkpoint(), QUIET_MS).unref();
      return;
    }
    this.#dirty = false;
    void this.#run(writer, "PRAGMA wal_checkpoint(PASSIVE)");
  }

  async #run(member: Member, sql: string): Promise<void> {
    try {
      const call = member.runner.query(Mode.ALL, sql, undefined, 0);
      member.track(call, true, () => this.#writers.advance());
      await member.runner.perform(call);
    } catch {
      // A log that stays longer loses nothing; the next checkpoint, or the next open, takes care of it.
    }
  }

  #reap(): void {
    const now = performance.now();
    const idle = (member: Member): boolean =>
      member.idle && now - member.idleSince >= this.#options.idleTimeout;
    for (const member of this.#readers.members.filter(idle)) {
      this.#readers.remove(member);
      void member.close(true);
    }
  }
}
