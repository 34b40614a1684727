import type { Deadline } from "../options/deadline.js";
import type { Member } from "./member.js";
import type { Want } from "./statement-profile.js";

/** A request in a group's line. */
export interface Waiter extends Want {
  /** Start of the wait, in ms of `performance.now()`. */
  readonly since: number;
  waits(since: number): void;
  place(member: Member): void;
  refuse(reason: unknown): void;
}

/** A request that waits for a member. There may be very many, so each must be small. */
export abstract class Request<T> implements Waiter {
  /** Read when needed: more is learned about a statement while its calls wait. */
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

  /** Uses the free member at once. If it throws, the request rejects. */
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

  /** Calls `leave` when the deadline is over, unless the wait has ended before. */
  watch(deadline: Deadline, leave: (reason: unknown) => void): void {
    if (!this.#over) this.#stopWatching = deadline.watch(leave);
  }

  #end(): void {
    this.#over = true;
    this.#stopWatching?.();
  }
}

/** The time limit of some lines. One timer serves all requests, because all may wait equally long. */
export class WaitLimit {
  readonly #ms: number;
  readonly #lines: readonly Waiter[][];
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `expired` is called when a request has waited for `ms` milliseconds, and must call {@link takeExpired}. 0: no
   * limit.
   */
  constructor(ms: number, lines: readonly Waiter[][], expired: () => void) {
    this.#ms = ms;
    this.#lines = lines;
    this.#expired = expired;
  }

  /** Call this when a request was added or removed. */
  look(): void {
    if (this.#ms === 0) return;
    let oldest = Infinity;
    for (const line of this.#lines) if (line.length > 0) oldest = Math.min(oldest, line[0]!.since);
    if (oldest === Infinity) this.stop();
    else if (this.#timer === undefined) {
      // Rounded up, because a timer may fire a fraction of a millisecond early.
      const left = Math.max(1, Math.ceil(oldest + this.#ms - performance.now()));
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#expired();
      }, left);
    }
  }

  /** Removes the requests that have waited too long from the lines, and gives them. */
  takeExpired(): Waiter[] {
    const limit = performance.now() - this.#ms;
    const taken: Waiter[] = [];
    for (const line of this.#lines) {
      // The oldest requests are in front.
      while (line.length > 0 && line[0]!.since <= limit) taken.push(line.shift()!);
    }
    return taken;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** The maximum sizes of a group. */
export interface Bounds {
  /** Members for calls, and for leases if these are not counted separately. */
  readonly calls: number;
  /** Additional members while all are busy with long statements. */
  readonly relief: number;
  /** Members that may be leased at a time in addition; 0 if leases use the members for calls. */
  readonly leases: number;
}
