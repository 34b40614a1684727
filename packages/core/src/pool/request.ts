import type { Deadline } from "../options/deadline.js";
import type { Member } from "./member.js";
import type { Want } from "./statement-profile.js";

/** Who stands in a group's line. */
export interface Waiter extends Want {
  /** Since when, on the clock of `performance.now()`. */
  readonly since: number;
  waits(since: number): void;
  place(member: Member): void;
  refuse(reason: unknown): void;
}

/** What waits for a member, and is given one as soon as it is free. Of those there may be very many: each is to be small. */
export abstract class Request<T> implements Waiter {
  /** As it is known now: of a statement more is learned while its calls wait. */
  readonly #want: Want;
  readonly promise: Promise<T>;
  #resolve!: (result: T) => void;
  #reject!: (reason: unknown) => void;
  #since = 0;
  #over = false;
  #stopWatching: (() => void) | null = null;

  constructor(want: Want) {
    this.#want = want;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get need(): Want["need"] {
    return this.#want.need;
  }

  get cost(): number {
    return this.#want.cost;
  }

  get since(): number {
    return this.#since;
  }

  waits(since: number): void {
    this.#since = since;
  }

  /** What is done at once with a member that is free; what it throws is the rejection. */
  protected abstract take(member: Member): T;

  place(member: Member): void {
    this.#end();
    try {
      this.#resolve(this.take(member));
    } catch (error) {
      this.#reject(error);
    }
  }

  refuse(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  /** `leave` is called when the deadline is over, unless the wait is. */
  watch(deadline: Deadline, leave: (reason: unknown) => void): void {
    if (!this.#over) this.#stopWatching = deadline.watch(leave);
  }

  #end(): void {
    this.#over = true;
    this.#stopWatching?.();
  }
}

/** How long those in some lines may wait: one timer for all, who wait equally long. */
export class WaitLimit {
  readonly #ms: number;
  readonly #lines: readonly Waiter[][];
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `expired` is called when somebody has waited for `ms` milliseconds, and is to {@link takeExpired}; 0: never. */
  constructor(ms: number, lines: readonly Waiter[][], expired: () => void) {
    this.#ms = ms;
    this.#lines = lines;
    this.#expired = expired;
  }

  /** To be called when somebody has come, or has gone. */
  look(): void {
    if (this.#ms === 0) return;
    let oldest = Infinity;
    for (const line of this.#lines) if (line.length > 0) oldest = Math.min(oldest, line[0]!.since);
    if (oldest === Infinity) this.stop();
    else if (this.#timer === undefined) {
      // Rounded up: a timer may be early by the fraction of a millisecond.
      const left = Math.max(1, Math.ceil(oldest + this.#ms - performance.now()));
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#expired();
      }, left);
    }
  }

  /** Those who have waited for too long, who stand in line no more. */
  takeExpired(): Waiter[] {
    const limit = performance.now() - this.#ms;
    const taken: Waiter[] = [];
    for (const line of this.#lines) {
      // Those who came first are in front.
      while (line.length > 0 && line[0]!.since <= limit) taken.push(line.shift()!);
    }
    return taken;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** How many members a group may have. */
export interface Bounds {
  /** For calls, and for leases where they are not counted apart. */
  readonly calls: number;
  /** As many more where all of them are busy with long statements. */
  readonly relief: number;
  /** Members that are leased at a time, besides those; 0 if leases take what there is for calls. */
  readonly leases: number;
}
