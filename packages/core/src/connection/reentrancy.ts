import { AsyncLocalStorage } from "node:async_hooks";
import { ProgrammingError } from "../errors/errors.js";

/** A callback of `transaction()` or `read()` that is running, and those around it. */
interface Scope {
  readonly owner: Reentrancy;
  readonly outer: Scope | undefined;
  active: boolean;
}

const scopes = new AsyncLocalStorage<Scope>();

/** Which calls of a pool come from inside its own callbacks, and could wait for what those hold. */
export class Reentrancy {
  #scopes = 0;

  /** Runs a callback so that the pool knows its calls. */
  async inside<T>(work: () => T | Promise<T>): Promise<T> {
    let outer = scopes.getStore();
    // Callbacks that start one another without end must not make a chain without end.
    while (outer?.active === false) outer = outer.outer;
    const scope: Scope = { owner: this, outer, active: true };
    this.#scopes++;
    try {
      return await scopes.run(scope, work);
    } finally {
      scope.active = false;
      this.#scopes--;
    }
  }

  /** The call comes from inside such a callback. */
  get enclosesCaller(): boolean {
    if (this.#scopes === 0) return false;
    for (let scope = scopes.getStore(); scope !== undefined; scope = scope.outer)
      if (scope.owner === this && scope.active) return true;
    return false;
  }

  /** A call from inside such a callback could wait for the very connection that the callback holds. */
  refuseInside(): void {
    if (!this.enclosesCaller) return;
    throw new ProgrammingError(
      "the pool was used inside its own transaction() or read() and could wait for itself: use the handle that the callback was given",
      { code: "SQLITE_MISUSE" },
    );
  }
}
