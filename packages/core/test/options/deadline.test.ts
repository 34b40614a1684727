import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ErrorReason } from "../../dist/errors/rejection.js";
import { Deadline } from "../../dist/options/deadline.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const forever = new Promise<never>(() => {});

describe("a deadline", () => {
  it("is none without options, and refuses wrong ones and a signal that is aborted", () => {
    expect(Deadline.of(undefined)).toBeUndefined();
    expect(() => Deadline.of({ timeout: -1 })).toThrow(RangeError);
    expect(() => Deadline.of({ timeout: "1" as never })).toThrow(TypeError);
    expect(() => Deadline.of({ signal: {} as never })).toThrow(TypeError);
    expect(() => Deadline.of({ timeuot: 1 } as never)).toThrow(TypeError);
    expect(() => Deadline.of({ signal: AbortSignal.abort("why") })).toThrow("why");
  });

  it("counts from when it was made, for all that is watched with it", async () => {
    const deadline = new Deadline({ timeout: 100 });
    vi.advanceTimersByTime(60);
    const work = deadline.race(forever, "SELECT 1").catch((error: unknown) => error);
    vi.advanceTimersByTime(39);
    expect(deadline.over).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.over).toBe(true);
    expect(await work).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_INTERRUPT",
      message: "interrupted: the timeout of 100 ms is over",
      sql: "SELECT 1",
    });
    expect(() => Deadline.of(deadline)).toThrow("the timeout of 100 ms is over");
  });

  it("ends by its signal with the signal's reason, whatever that is", async () => {
    for (const reason of ["text", Object.create(null), new ErrorReason(() => new RangeError("made"))]) {
      const aborting = new AbortController();
      const deadline = new Deadline({ signal: aborting.signal });
      const work = deadline.race(forever).catch((error: unknown) => error);
      aborting.abort(reason);
      expect(deadline.over).toBe(true);
      expect(await work).toBe(reason instanceof ErrorReason ? await work : reason);
      if (reason instanceof ErrorReason) expect(await work).toEqual(new RangeError("made"));
    }
  });

  it("leaves no timer and no listener behind what was in time", async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    const deadline = new Deadline({ timeout: 100, signal });
    expect(await deadline.race(Promise.resolve(7))).toBe(7);
    await expect(deadline.race(Promise.reject(new RangeError("no")))).rejects.toThrow("no");
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledTimes(2);
  });

  it("tells who watches that it was ended, and nobody who has stopped watching", () => {
    const deadline = new Deadline({});
    const told: unknown[] = [];
    const stop = deadline.watch(() => told.push("stopped"));
    deadline.watch((reason) => told.push(reason));
    stop();
    deadline.end("left");
    expect(told).toEqual(["left"]);
  });

  it("can be ended before its time, for a reason of one's own", async () => {
    const deadline = new Deadline({});
    const signals: unknown[] = [];
    const work = deadline
      .signalled(
        (signal) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              signals.push(signal.reason);
              reject(signal.reason);
            });
          }),
      )
      .catch((error: unknown) => error);
    deadline.end("left");
    deadline.end("again");
    expect(deadline.reason()).toBe("left");
    expect(await work).toBe("left");
    expect(signals).toEqual(["left"]);
  });
});
