import { ErrorReason } from "../errors/rejection.js";
import { type Call, Stage } from "../thread/call.js";
import type { WorkerThread } from "../thread/worker-thread.js";
import { ConnectionClosedError } from "../errors/errors.js";
import { type Held, isInside, refuseInside, runHolding } from "./reentrancy.js";

interface LeaseRequest {
  readonly grant: (lane: Lane) => void;
  readonly refuse: (reason: unknown) => void;
  /** Gets its turn even if waiting calls are cancelled. */
  readonly essential: boolean;
}

/**
 * A first-in, first-out queue with exclusive leases. While a lane has a child, only the child's calls reach the thread,
 * and the lane's own calls wait in order. A connection is the root lane, a transaction a child, a savepoint a child of
 * that child.
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

  /** Calls that wait here for a lease to end. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Notes that the connection closes as soon as earlier calls are done. */
  closing(): void {
    this.#closingAt = performance.now();
  }

  /** Milliseconds since {@link closing}; negative if the connection is not closing. */
  get closingFor(): number {
    return performance.now() - this.#closingAt;
  }

  /** Sends the call in its turn. Throws if that turn can never come. */
  submit(call: Call): void {
    if (this.#ended !== null) throw this.#ended();
    if (this.#child === null && this.#waiting.length === 0) {
      this.#channel.send(call);
      return;
    }
    this.refuseDeadlock();
    this.#waiting.push(call);
  }

  /** Rejects the calls that wait for a lease to end, here and in child lanes. */
  cancelWaiting(reason: () => Error): void {
    const given = this.#waiting.filter(({ essential }) => !essential);
    this.#waiting = this.#waiting.filter(({ essential }) => essential);
    refuseEach(given, reason);
    this.#child?.cancelWaiting(reason);
  }

  /** Removes a waiting call from the queue; false if it is not here. */
  withdraw(call: Call): boolean {
    const at = this.#waiting.indexOf(call);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    this.#advance();
    return true;
  }

  /**
   * Gives a child lane when all earlier calls have been sent. `onQueued` gets a function that withdraws the request.
   */
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

  /** Gives a child lane at once. The caller must know that there is none yet. */
  take(): Lane {
    this.#child = new Lane(this.#channel, this);
    return this.#child;
  }

  /**
   * Ends a child lane: its waiting and further calls are refused with `reason`, and the parent goes on. Give a `reason`
   * if users may still call on the lane afterwards.
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

  /** Ends the child lane, and refuses the calls that wait for it. */
  abandon(reason: () => Error): void {
    // First refuse them: ending the child would send them.
    refuseEach(this.#waiting.splice(0), reason);
    this.#child?.end(reason);
  }

  /** The lane takes no further calls. */
  get ended(): boolean {
    return this.#ended !== null;
  }

  /** Runs `fn` and marks the calls made inside as coming from this lane. */
  run<T>(fn: () => T): T {
    return runHolding(this, fn);
  }

  /** A lane waits for its child lane, and so for that one's child. */
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

  /** The call comes from a callback that runs on a lease of this lane, or of its children. */
  get enclosesCaller(): boolean {
    return isInside(this);
  }

  /** Throws for a call from inside the lease that it would wait for. */
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

/** The error for calls on a closed connection. */
export function closedReason(): Error {
  return new ConnectionClosedError();
}
