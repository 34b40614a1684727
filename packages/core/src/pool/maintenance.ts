import { Mode } from "@sqlite-aio/worker/wire";
import type { MemberGroup } from "./member-group.js";
import type { Member } from "./member.js";
import type { ResolvedPoolOptions } from "./options.js";

/** Milliseconds without a write after which the log is checkpointed. */
const QUIET_MS = 1000;

/** The background work of a pool: checkpoints, and closing idle readers. */
export class Maintenance {
  readonly #writers: MemberGroup;
  readonly #readers: MemberGroup;
  readonly #idleTimeout: number;
  /** There is a write-ahead log, and no other process checkpoints it. */
  readonly checkpoints: boolean;
  readonly #reaper: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Work under way. */
  readonly #work = new Set<Promise<void>>();

  constructor(options: ResolvedPoolOptions, writers: MemberGroup, readers: MemberGroup) {
    this.#writers = writers;
    this.#readers = readers;
    this.#idleTimeout = options.idleTimeout;
    this.checkpoints = options.wal && options.checkpoint === "auto";
    if (options.idleTimeout === 0 || readers === writers) return;
    this.#reaper = setInterval(() => this.#reap(), Math.max(10, options.idleTimeout / 2)).unref();
  }

  /** Notes a write: the log is checkpointed when the writer is idle. */
  wrote(): void {
    if (!this.checkpoints || this.#stopped) return;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#reaper);
    clearTimeout(this.#quiet);
  }

  /** Stops, and resolves when the work under way is done. */
  async stopped(): Promise<void> {
    this.stop();
    await Promise.all(this.#work);
  }

  #arm(): void {
    // One timer per quiet period, not per write.
    this.#quiet ??= setTimeout(() => this.#whenQuiet(), QUIET_MS).unref();
  }

  #whenQuiet(): void {
    this.#quiet = undefined;
    // A fake clock may fire a timer that was cleared.
    if (this.#stopped) return;
    const writer = this.#writers.members[0];
    if (writer === undefined || !writer.idle || performance.now() - writer.idleSince < QUIET_MS / 2) {
      this.#arm();
      return;
    }
    this.#do(
      this.#checkpoint(writer).then((whole) => {
        // A reader with an old snapshot keeps the rest of the log. Try again later.
        if (!whole) this.wrote();
      }),
    );
  }

  /** False if part of the log remains. */
  async #checkpoint(member: Member): Promise<boolean> {
    try {
      const { handle } = member;
      const spec = { housekeeping: true, objects: false };
      const call = handle.query(Mode.ALL, "PRAGMA wal_checkpoint(PASSIVE)", undefined, spec);
      handle.submit(call, undefined, null);
      member.track(call, 0, () => this.#writers.advance());
      await handle.settle(call);
      const [, log, checkpointed] = call.rows[0] as [busy: number, log: number, checkpointed: number];
      return log === checkpointed;
    } catch {
      // Nothing is lost: the next checkpoint or the next open takes care of the log.
      return true;
    }
  }

  #reap(): void {
    const now = performance.now();
    const idle = (member: Member): boolean => member.idle && now - member.idleSince >= this.#idleTimeout;
    for (const member of this.#readers.members.filter(idle)) {
      this.#readers.remove(member);
      this.#do(member.close());
    }
  }

  #do(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }
}
