import { ErrorReason } from "../errors/rejection.js";
import { type Call, Stage } from "../thread/call.js";
import type { WorkerThread } from "../thread/worker-thread.js";
import { ConnectionClosedError } from "../errors/errors.js";
import { type Held, isInside, refuseInside, runHolding } from "./reentrancy.js";

interface LeaseRequest {
  readonly grant: (lane: Lane) => void;
  readonly refuse: (reason: unknown) => void;
  /** Must have its turn whatever is cancelled. */
  readonly essential: boolean;
}

/**
 * First in, first out, with exclusive leases: while a lane has a child, only the child's calls reach the thread, and
 * the lane's own wait in order. A connection is the root lane, a transaction a child, a savepoint the child of that.
 */
export class Lane implements Held {
  readonly #channel: WorkerThread;
  readonly #parent: Lane | null;
  #child: Lane | null = null;
  #waiting: (Call | LeaseRequest)[] = [];
  #ended: (() => Error) | null = null;
  #closingAt = Number.POSITIVE_INFINITY;

  constructor(channel: WorkerThread, parent: Lane | null = null) {
    this.#channel = channel;
    this.#parent = parent;
  }

  /** How many calls wait here for a lease to end. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Its connection is to close once what was called before is done. */
  closing(): void {
    this.#closingAt = performance.now();
  }

  /** Milliseconds for which a connection that is to close has waited; below zero if it is not. */
  get closingFor(): number {
    return performance.now() - this.#closingAt;
  }

  /** Sends the call in its turn. Throws if its turn can never come. */
  submit(call: Call): void {
    if (this.#ended !== null) throw this.#ended();
    if (this.#child === null && this.#waiting.length === 0) {
      this.#channel.send(call);
      return;
    }
    this.refuseDeadlock();
    this.#waiting.push(call);
  }

  /** Rejects what waits here, and further down, for a lease to end. */
  cancelWaiting(reason: () => Error): void {
    const given = this.#waiting.filter(({ essential }) => !essential);
    this.#waiting = this.#waiting.filter(({ essential }) => essential);
    refuseEach(given, reason);
    this.#child?.cancelWaiting(reason);
  }

  /** Takes a waiting call out of the queue; false if it is not here. */
  withdraw(call: Call): boolean {
    const at = this.#waiting.indexOf(call);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    this.#advance();
    return true;
  }

  /** A child lane, as soon as all that waited before has been sent. `onQueued` gets a way to withdraw the request. */
  lease(onQueued?: (withdraw: (reason: unknown) => void) => void, essential = false): Promise<Lane> {
    if (this.#ended !== null) return Promise.reject(this.#ended());
    if (this.#child === null && this.#waiting.length === 0) return Promise.resolve(this.take());
    try {
      this.refuseDeadlock();
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((grant, refuse) => {
      const request: LeaseRequest = { grant, refuse, essential };
      this.#waiting.push(request);
      onQueued?.((reason) => {
        const at = this.#waiting.indexOf(request);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        refuse(reason);
        this.#advance();
      });
    });
  }

  /** A child lane at once; the caller knows that nobody has one. */
  take(): Lane {
    this.#child = new Lane(this.#channel, this);
    return this.#child;
  }

  /**
   * Ends a child lane: its further calls are refused with `reason`, its waiting ones too, and the parent goes on. A reason
   * is for lanes that others may call on when they are over.
   */
  end(reason: () => Error = closedReason): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.abandon(reason);
    const parent = this.#parent;
    if (parent !== null && parent.#child === this) {
      parent.#child = null;
      parent.#advance();
    }
  }

  /** Ends the child lane, and refuses what waits for its end. */
  abandon(reason: () => Error): void {
    // Before the child's end, which would send them.
    refuseEach(this.#waiting.splice(0), reason);
    this.#child?.end(reason);
  }

  /** It takes no calls any more. */
  get ended(): boolean {
    return this.#ended !== null;
  }

  /** Runs `fn` so that calls made inside it are known to come from this lane. */
  run<T>(fn: () => T): T {
    return runHolding(this, fn);
  }

  /** A lane waits for its lease, and for what is leased of that. */
  keepsFrom(owner: object): boolean {
    return this === owner || (this.#parent !== null && this.#parent.keepsFrom(owner));
  }

  #advance(): void {
    while (this.#child === null) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if ("grant" in next) next.grant(this.take());
      else if (next.stage !== Stage.SETTLED) this.#channel.send(next);
    }
  }

  /** The call comes from a callback that is running on a lease of this lane, or further down. */
  get enclosesCaller(): boolean {
    return isInside(this);
  }

  /** Throws for a call from inside the lease that it would wait for: it would wait for itself. */
  refuseDeadlock(): void {
    if (this.#child === null) return;
    refuseInside(
      this.#child,
      "this handle was used inside its own transaction and would wait for itself: use the handle that the callback was given",
    );
  }
}

function refuseEach(waiting: readonly (Call | LeaseRequest)[], reason: () => Error): void {
  for (const entry of waiting) {
    if ("grant" in entry) entry.refuse(reason());
    else entry.reject(new ErrorReason(reason));
  }
}

/** Why a lane of a closed connection takes no calls. */
export function closedReason(): Error {
  return new ConnectionClosedError();
}
