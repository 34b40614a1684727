import { AsyncLocalStorage } from "node:async_hooks";
import { ProgrammingError } from "../errors/errors.js";

/** What a callback has to itself while it runs: a lane, a connection of a pool, the transaction of a query builder. */
export interface Held {
  /** A call of `owner`'s from inside the callback could wait for this, and so for itself, unless it has ended. */
  keepsFrom(owner: object): boolean;
  /** It is given back, and keeps from nobody any more. */
  readonly ended: boolean;
}

/** A callback that is running, and those around it; they may be of several owners. */
class Scope {
  readonly held: Held;
  #outer: Scope | undefined;

  constructor(held: Held, outer: Scope | undefined) {
    this.held = held;
    this.#outer = outer;
    // Callbacks that start one another without end must not make a chain without end.
    for (const scope of [this, outer]) scope?.forgetEnded();
  }

  get outer(): Scope | undefined {
    this.forgetEnded();
    return this.#outer;
  }

  /** Those around it that are over. */
  forgetEnded(): void {
    while (this.#outer?.held.ended === true) this.#outer = this.#outer.#outer;
  }
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs a callback that has `held` to itself, so that its calls are known. */
export function runHolding<T>(held: Held, callback: () => T): T {
  return scopes.run(new Scope(held, scopes.getStore()), callback);
}

/**
 * The same for all that is called from here on. To be called in the function that then awaits the beginning and runs the
 * callback: whoever called that function is behind an await of his own and stays as he was.
 */
export function enterHolding(held: Held): void {
  scopes.enterWith(new Scope(held, scopes.getStore()));
}

/** The call comes from inside a callback that has something to itself which a call of `owner`'s could wait for. */
export function isInside(owner: object): boolean {
  for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer)
    if (!scope.held.ended && scope.held.keepsFrom(owner)) return true;
  return false;
}

/** Throws for a call of `owner`'s that could wait for itself; `what` says who was used where. */
export function refuseInside(owner: object, what: string): void {
  if (isInside(owner)) throw new ProgrammingError(what, { code: "SQLITE_MISUSE" });
}

/** The callbacks of a pool's `transaction()` and `read()`, or of whoever else holds something while a callback runs. */
export class Reentrancy {
  #running = 0;

  /** Runs a callback so that its calls are known until its promise settles. */
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

  /** A call from inside such a callback could wait for the very connection that the callback holds. */
  refuseInside(): void {
    if (this.#running === 0) return;
    refuseInside(
      this,
      "the pool was used inside its own transaction() or read() and could wait for itself: use the handle that the callback was given",
    );
  }
}
