import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { open, rejection } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** What the tests of an application replace: the loop and the clock. */
const fakes = {
  "all that vitest fakes unless told otherwise": undefined,
  "the loop's turns": ["setImmediate"],
  "the clock": ["performance"],
  "timers, microtasks and the clock": ["setTimeout", "setInterval", "queueMicrotask", "performance", "Date"],
} as const;

describe.each(Object.entries(fakes))("with fakes for %s", (_, toFake) => {
  it("calls are answered, rows come and functions are called", async () => {
    const db = await open();
    await db.createFunction("twice", 1, (x: number) => 2 * x);
    await db.executeFetchall("SELECT twice(1)");
    vi.useFakeTimers(toFake === undefined ? {} : { toFake: [...toFake] });
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 300 }, (_item, i) => db.executeFetchall("SELECT ? + 1", [i]));
      expect((await Promise.all(calls)).flat(2)).toEqual(Array.from({ length: 300 }, (_item, i) => i + 1));
    }
    expect(await db.executeFetchall("SELECT twice(21)")).toEqual([[42]]);
    let sum = 0;
    const sql =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT x FROM c";
    for await (const [x] of db.execute(sql)) {
      sum += x as number;
      if (sum % 7 === 0) for (let work = 0; work < 20_000; work++) sum += 0;
    }
    expect(sum).toBe(200_010_000);
  });
});

describe("with a Math.random that always says the same", () => {
  it("each call finds its own answer, where two frames and calls beside them are under way", async () => {
    const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
    onTestFinished(() => random.mockRestore());
    const db = await open();
    const asked: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      asked.push(db.executeFetchall("SELECT ?", [i]));
      // The next one is sent in a frame of its own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const defined = ["one", "two", "three"].map((name, i) => db.createFunction(name, 0, () => i + 1));
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 20 }, (_, i) => [[i]]));
    await Promise.all(defined);
    expect(await db.executeFetchall("SELECT one(), two(), three()")).toEqual([[1, 2, 3]]);
  });
});

describe("with a fake clock that keeps the timers that a pool stops", () => {
  it("whoever waits behind somebody who was served stays in line", async () => {
    const pool = await openPool({ readers: 0, acquireTimeout: 100 });
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const holder = await pool.acquire();
    const served = pool.acquire();
    await holder.close();
    const next = await served;
    vi.advanceTimersByTime(50);
    const waiting = pool.run("CREATE TABLE t (a)");
    const late = rejection(pool.exec("CREATE TABLE u (a)", { timeout: 20 }));
    vi.advanceTimersByTime(50);
    expect(await late).toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect(pool.stats().waiting).toBe(1);
    await next.close();
    expect(await waiting).toMatchObject({ changes: 0 });
  });

  it("a pool that is closed looks after its log no more", async () => {
    const pool = await openPool();
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    await pool.run("CREATE TABLE t (a)");
    await pool.close();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    vi.advanceTimersByTime(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
