import { AsyncLocalStorage } from "node:async_hooks";
import { ProgrammingError } from "../errors/errors.js";

/**
 * What a callback holds exclusively while it runs: a lane, a connection of a pool, the transaction of a query builder.
 */
export interface Held {
  /** A call on `owner` from inside the callback could wait for this, and so for itself, unless this has ended. */
  keepsFrom(owner: object): boolean;
  /** It was released, and no call waits for it any more. */
  readonly ended: boolean;
}

/** A running callback and the callbacks around it, possibly of different owners. */
class Scope {
  readonly held: Held;
  #outer: Scope | undefined;

  constructor(held: Held, outer: Scope | undefined) {
    this.held = held;
    this.#outer = outer;
    // Callbacks that keep starting one another must not build an endless chain.
    for (const scope of [this, outer]) scope?.forgetEnded();
  }

  get outer(): Scope | undefined {
    this.forgetEnded();
    return this.#outer;
  }

  /** Drops outer scopes that have ended. */
  forgetEnded(): void {
    while (this.#outer?.held.ended === true) this.#outer = this.#outer.#outer;
  }
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs a callback that holds `held`, so that calls from inside it are recognised. */
export function runHolding<T>(held: Held, callback: () => T): T {
  return scopes.run(new Scope(held, scopes.getStore()), callback);
}

/**
 * The same for everything that the current function calls from here on. Call it in the function that awaits the
 * beginning and runs the callback: its own caller is behind an await and keeps its scope.
 */
export function enterHolding(held: Held): void {
  scopes.enterWith(new Scope(held, scopes.getStore()));
}

/** The call comes from inside a callback that holds something which a call on `owner` could wait for. */
export function isInside(owner: object): boolean {
  for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer)
    if (!scope.held.ended && scope.held.keepsFrom(owner)) return true;
  return false;
}

/** Throws if a call on `owner` could wait for itself; `what` is the error's message. */
export function refuseInside(owner: object, what: string): void {
  if (isInside(owner)) throw new ProgrammingError(what, { code: "SQLITE_MISUSE" });
}

/**
 * Recognises calls from inside the callbacks of a pool's `transaction()` and `read()`, and of others that hold
 * something while a callback runs.
 */
export class Reentrancy {
  #running = 0;

  /** Runs a callback and recognises calls from inside it until its promise settles. */
  async inside<T>(callback: () => T | Promise<T>): Promise<T> {
    let over = false;
    const held: Held = {
      keepsFrom: (owner) => owner === this,
      get ended() {
        return over;
      },
    };
    this.#running++;
    try {
      return await runHolding(held, callback);
    } finally {
      over = true;
      this.#running--;
    }
  }

  /** The call comes from inside such a callback. */
  get enclosesCaller(): boolean {
    return this.#running > 0 && isInside(this);
  }

  /** Throws inside such a callback: the call could wait for the very connection that the callback holds. */
  refuseInside(): void {
    if (this.#running === 0) return;
    refuseInside(
      this,
      "the pool was used inside its own transaction() or read() and could wait for itself: use the handle that the callback was given",
    );
  }
}
