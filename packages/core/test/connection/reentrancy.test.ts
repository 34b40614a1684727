import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  enterHolding,
  type Held,
  isInside,
  Reentrancy,
  refuseInside,
  runHolding,
} from "../../dist/connection/reentrancy.js";
import { ProgrammingError } from "../../dist/errors/errors.js";
import { gate } from "../support/gate.ts";

/** A hold that keeps calls from its owner until it ends. */
class Holding implements Held {
  readonly #owner: object;
  #ended = false;
  looks = 0;

  constructor(owner: object) {
    this.#owner = owner;
  }

  get ended(): boolean {
    this.looks++;
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
  }

  keepsFrom(owner: object): boolean {
    return !this.#ended && owner === this.#owner;
  }
}

describe("whose callbacks enclose a call", () => {
  it("is known in the callback and in what it starts, and not outside of it", async () => {
    const owner = {};
    const held = new Holding(owner);
    const go = Promise.withResolvers<void>();
    const inside = runHolding(held, async () => {
      const before = isInside(owner);
      await go.promise;
      return [before, isInside(owner), isInside({})];
    });
    expect(isInside(owner)).toBe(false);
    go.resolve();
    expect(await inside).toEqual([true, true, false]);
  });

  it("is known of every owner around the call, the inner ones and the outer ones", () => {
    const [outer, inner] = [{}, {}];
    const seen = runHolding(new Holding(outer), () =>
      runHolding(new Holding(inner), () => [isInside(outer), isInside(inner)]),
    );
    expect(seen).toEqual([true, true]);
  });

  it("ends with what is held, also for what goes on after the callback", async () => {
    const [outer, inner] = [{}, {}];
    const held = new Holding(inner);
    const seen = runHolding(new Holding(outer), () =>
      runHolding(held, async () => {
        held.end();
        await setImmediate();
        return [isInside(outer), isInside(inner)];
      }),
    );
    expect(await seen).toEqual([true, false]);
  });

  it("is known from enterHolding() on, and not by whoever awaits that function", async () => {
    const owner = {};
    const run = async (): Promise<boolean> => {
      await setImmediate();
      enterHolding(new Holding(owner));
      await setImmediate();
      return isInside(owner);
    };
    expect(await run()).toBe(true);
    expect(isInside(owner)).toBe(false);
  });

  it("is refused with a ProgrammingError that says what was used where", () => {
    const owner = {};
    expect(() => refuseInside(owner, "used inside")).not.toThrow();
    runHolding(new Holding(owner), () => {
      expect(() => refuseInside(owner, "used inside")).toThrow(ProgrammingError);
      expect(() => refuseInside(owner, "used inside")).toThrow(/^used inside$/);
    });
  });

  it("keeps nothing of the callbacks that are over, however many start one another", () => {
    const all = Array.from({ length: 100 }, () => new Holding({}));
    let inside: <T>(work: () => T) => T = (work) => work();
    for (const [at, held] of all.entries()) {
      // Each is started by the one before, which ends a moment later.
      inside = inside(() => runHolding(held, () => AsyncLocalStorage.snapshot()));
      all[at - 1]?.end();
    }
    for (const held of all) held.looks = 0;
    inside(() => isInside({}));
    expect(all.filter(({ looks }) => looks > 0).length).toBeLessThanOrEqual(2);
  });
});

describe("the callbacks of a pool", () => {
  it("enclose their calls until they settle, and only those of their own pool", async () => {
    const [pool, other] = [new Reentrancy(), new Reentrancy()];
    const late = Promise.withResolvers<void>();
    const seen: boolean[] = [];
    let after: Promise<void> | undefined;
    await pool.inside(async () => {
      seen.push(pool.enclosesCaller, other.enclosesCaller);
      expect(() => pool.refuseInside()).toThrow("inside its own transaction() or read()");
      after = late.promise.then(() => void seen.push(pool.enclosesCaller));
      await other.inside(() => void seen.push(pool.enclosesCaller, other.enclosesCaller));
      seen.push(other.enclosesCaller);
    });
    expect(pool.enclosesCaller).toBe(false);
    late.resolve();
    await after;
    expect(seen).toEqual([true, false, true, true, false, false]);
  });
});

it("a callback that is over is no caller, also while another one of its owner runs", async () => {
  const owner = new Reentrancy();
  const [later, end] = [gate(), gate()];
  let late!: Promise<boolean>;
  await owner.inside(() => {
    late = later.opened.then(() => owner.enclosesCaller);
  });
  const other = owner.inside(() => end.opened);
  later.open();
  expect(await late).toBe(false);
  end.open();
  await other;
});
