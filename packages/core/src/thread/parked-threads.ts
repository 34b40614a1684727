import { AsyncLocalStorage } from "node:async_hooks";
import { after, now } from "./event-loop.js";
import type { Host } from "./host.js";

/** Runs work that belongs to no connection outside the caller's async context, which it would keep alive. */
export const outside = AsyncLocalStorage.snapshot();

/** The maximum number of parked threads, and their time limit. */
export interface ParkingLimits {
  readonly max: number;
  /** Milliseconds; 0: no limit. */
  readonly idleTimeout: number;
}

/** Threads that serve no connection now, the latest first. */
export class ParkedThreads {
  readonly #hosts: { readonly host: Host; since: number }[] = [];
  #limits: ParkingLimits = { max: 4, idleTimeout: 5000 };
  /** Additional places, for pools that will soon take the threads that they park. */
  #reserved = 0;
  #looking = false;

  get count(): number {
    return this.#hosts.length;
  }

  get limits(): ParkingLimits {
    return this.#limits;
  }

  set limits(limits: ParkingLimits) {
    this.#limits = limits;
    this.#trim();
  }

  /** Keeps `count` more threads, if any are kept at all, until the returned function is called. */
  reserve(count: number): () => void {
    this.#reserved += count;
    return () => {
      this.#reserved -= count;
      count = 0;
      this.#trim();
    };
  }

  countOf(kind: string): number {
    return this.#hosts.filter(({ host }) => host.kind === kind).length;
  }

  /** Parks the thread for the next connection. If there are too many, the oldest ends. */
  add(host: Host): void {
    this.#hosts.unshift({ host, since: now() });
    this.#trim();
  }

  /** Takes a parked thread of this kind. */
  take(kind: string): Host | undefined {
    const at = this.#hosts.findIndex(({ host }) => host.kind === kind);
    return at < 0 ? undefined : this.#hosts.splice(at, 1)[0]!.host;
  }

  /** Removes a thread that has ended. */
  remove(host: Host): void {
    const at = this.#hosts.findIndex((parked) => parked.host === host);
    if (at >= 0) this.#hosts.splice(at, 1);
  }

  #trim(): void {
    const { max, idleTimeout } = this.#limits;
    const most = max === 0 ? 0 : max + this.#reserved;
    const limit = idleTimeout === 0 ? -Infinity : now() - idleTimeout;
    while (this.#hosts.length > most || (this.#hosts.at(-1)?.since ?? Infinity) <= limit) {
      this.#hosts.pop()!.host.end();
    }
    if (this.#looking || this.#hosts.length === 0 || idleTimeout === 0) return;
    this.#looking = true;
    // One more millisecond, because the timer may fire slightly early.
    const wait = Math.ceil(this.#hosts.at(-1)!.since + idleTimeout - now()) + 1;
    outside(() =>
      after(wait, () => {
        this.#looking = false;
        this.#trim();
      }),
    );
  }
}
