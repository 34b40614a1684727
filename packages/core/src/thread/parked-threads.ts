import { AsyncLocalStorage } from "node:async_hooks";
import { after, now } from "./event-loop.js";
import type { Host } from "./host.js";

/** What is done for no connection in particular must not keep alive what the caller's async context holds. */
export const outside = AsyncLocalStorage.snapshot();

/** How many threads are kept, and for how long. */
export interface ParkingLimits {
  readonly max: number;
  /** Milliseconds; 0: for ever. */
  readonly idleTimeout: number;
}

/** Threads that serve nobody at the moment, those that came last first. */
export class ParkedThreads {
  readonly #hosts: { readonly host: Host; since: number }[] = [];
  #limits: ParkingLimits = { max: 4, idleTimeout: 5000 };
  /** Besides `max`, for those who will soon take what they park. */
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

  /** Keeps `count` more, where any are kept, until the function that it gives is called. */
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

  /** Keeps the thread for the next connection; one too many makes the oldest end. */
  add(host: Host): void {
    this.#hosts.unshift({ host, since: now() });
    this.#trim();
  }

  /** One that was started with the same, which is parked no more. */
  take(kind: string): Host | undefined {
    const at = this.#hosts.findIndex(({ host }) => host.kind === kind);
    return at < 0 ? undefined : this.#hosts.splice(at, 1)[0]!.host;
  }

  /** It has ended. */
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
    // A clock that is read a little early must not make it look in vain.
    const wait = Math.ceil(this.#hosts.at(-1)!.since + idleTimeout - now()) + 1;
    outside(() =>
      after(wait, () => {
        this.#looking = false;
        this.#trim();
      }),
    );
  }
}
