import { getEventListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import {
  type Connection,
  OperationalError,
  type Pool,
  type PoolOptions,
  PoolTimeoutError,
  QueueFullError,
} from "@sqlite-aio/core";
import { describe, expect, it, vi } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { filledPool, holds, outcomes, stopTheClock, until } from "../support/pool-support.ts";

async function filled(options: PoolOptions = {}, path?: string): Promise<Pool> {
  const pool = await filledPool(0, { readers: 1, ...options }, path);
  // Opening a reader may take longer than a test lets anybody wait.
  await until(async () =>
    (await outcomes([pool.get("SELECT 1 AS one")])).every((row) => !(row instanceof Error)),
  );
  return pool;
}

async function collect(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

describe("first come, first served", () => {
  it("holds for 1,000 waiters beside a loop of writes that never pauses", async () => {
    const pool = await filled({ pragmas: { synchronous: "OFF" }, acquireTimeout: 0 });
    const order: number[] = [];
    const state = { over: false };
    let writes = 0;
    const hot = Array.from({ length: 20 }, async () => {
      while (!state.over) {
        await pool.run("INSERT INTO t VALUES (1)");
        writes++;
      }
    });
    const waiters = Array.from({ length: 1000 }, async (_, i) => {
      if (i % 4 === 0) await pool.transaction(() => void order.push(i));
      else if (i % 4 === 1) await pool.exec("SELECT 1").then(() => order.push(i));
      else {
        await using conn = await pool.acquire();
        order.push(i);
        if (i % 50 === 2) await conn.execute("SELECT 1");
      }
    });
    await Promise.all(waiters);
    state.over = true;
    await Promise.all(hot);
    // exec() has its turn in order, and is answered a little later than it had it.
    const leases = order.filter((i) => i % 4 !== 1);
    expect(leases).toEqual(leases.toSorted((a, b) => a - b));
    expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    // Waiting calls do not keep others from writing either.
    expect(writes).toBeGreaterThanOrEqual(20);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, busy: 0 });
  });

  it("holds for reads of all kinds, on a reader that is taken", async () => {
    const pool = await filled();
    const order: string[] = [];
    const conn = await pool.acquire({ mode: "read" });
    const note = (name: string) => (): void => void order.push(name);
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 3; i++) {
      waiting.push(
        pool.read(note(`read ${i}`)),
        pool.get("SELECT 1"),
        pool.acquire({ mode: "read" }).then((lease) => (note(`acquire ${i}`)(), lease.close())),
        collect(pool.iterate("SELECT 1")),
      );
    }
    await turn();
    expect(pool.stats()).toMatchObject({ waiting: 12 });
    await conn.close();
    await Promise.all(waiting);
    expect(order).toEqual(["read 0", "acquire 0", "read 1", "acquire 1", "read 2", "acquire 2"]);
  });
});

it("10,000 acquires with 20 ms each, of which most are too late: every permit comes back", async () => {
  const pool = await filled({ acquireTimeout: 20, readers: 2 });
  let granted = 0;
  let late = 0;
  let most = 0;
  const held = new Set<Connection>();
  const acquire = async (i: number): Promise<void> => {
    try {
      const conn = await pool.acquire({ mode: i % 2 === 0 ? "write" : "read" });
      held.add(conn);
      most = Math.max(most, held.size);
      granted++;
      // Some hold it for a part of the 20 ms, some give it back in the tick they got it.
      if (i % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
      held.delete(conn);
      await pool.release(conn);
    } catch (error) {
      expect(error).toBeInstanceOf(PoolTimeoutError);
      late++;
    }
  };
  // Each permit that comes back takes a round trip to its thread: on a busy machine there are few of those in 20 ms.
  let waves = 0;
  // oxlint-disable-next-line eslint/no-unmodified-loop-condition -- it is, by acquire()
  while (waves < 10 || granted <= 100) {
    const first = waves++ * 1000;
    await Promise.all(Array.from({ length: 1000 }, (_, i) => acquire(first + i)));
  }
  expect(granted + late).toBe(waves * 1000);
  expect(granted).toBeGreaterThan(100);
  expect(late).toBeGreaterThan(100);
  // One writer, two readers.
  expect(most).toBeLessThanOrEqual(3);
  expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0, busy: 0, respawned: 0 });
  expect(await pool.run("INSERT INTO t VALUES (1)")).toMatchObject({ changes: 1 });
});

describe("acquireTimeout", () => {
  it("rejects each kind of call with who holds what, since when and where it was acquired", async () => {
    const pool = await filled({ acquireTimeout: 30, readLeases: 0 });
    const writer = await pool.acquire();
    const reader = await pool.acquire({ mode: "read" });
    const results = await outcomes([
      pool.run("INSERT INTO t VALUES (1)"),
      pool.exec("SELECT 1"),
      pool.transaction(() => 1),
      pool.acquire(),
      pool.get("SELECT 1"),
      pool.all("SELECT 1"),
      pool.read(() => 1),
      pool.iterate("SELECT 1").next(),
      pool.acquire({ mode: "read" }),
    ]);
    for (const [i, result] of results.entries()) {
      expect(result, String(i)).toBeInstanceOf(PoolTimeoutError);
      expect(result).toMatchObject({ name: "PoolTimeoutError", code: "SQLITE_AIO_POOL_TIMEOUT" });
      const { message, stack } = result as Error;
      const role = i < 4 ? "writer" : "reader";
      expect(message).toMatch(
        new RegExp(`^no ${role} became free within 30 ms; ${role} 1 is held by acquire\\(\\) at `),
      );
      expect(message).toMatch(/waiting\.test\.ts:\d+:\d+\)? for \d+ ms$/);
      expect(stack, String(i)).toContain("waiting.test.ts");
    }
    expect(pool.stats()).toMatchObject({ waiting: 0, pending: 2 });
    await writer.close();
    await reader.close();
    const over = gate();
    const transaction = pool.transaction(() => over.opened);
    expect(await rejection(pool.run("INSERT INTO t VALUES (1)"))).toMatchObject({
      message: expect.stringContaining("writer 1 is held by transaction() at "),
    });
    over.open();
    await transaction;
  });

  it("says who holds what also where nobody knows the place", async () => {
    const pool = await filled({ acquireTimeout: 10 });
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const acquired = pool.acquire();
    Error.stackTraceLimit = stackTraceLimit;
    await using _ = await acquired;
    expect(await rejection(pool.run("INSERT INTO t VALUES (1)"))).toMatchObject({
      message: expect.stringMatching(/; writer 1 is held by acquire\(\) for \d+ ms$/),
    });
  });

  it("of 0 waits for ever", async () => {
    const pool = await filled({ acquireTimeout: 0 });
    stopTheClock();
    const conn = await pool.acquire();
    const waiting = pool.run("INSERT INTO t VALUES (1)");
    vi.advanceTimersByTime(3_600_000);
    expect(pool.stats().waiting).toBe(1);
    await conn.close();
    await waiting;
  });

  it("also ends the waiting of calls that a connection has, but has not begun", async () => {
    const pool = await filled({ acquireTimeout: 60 });
    const held = await holds(pool);
    stopTheClock();
    const long = pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    const controller = new AbortController();
    const { signal } = controller;
    const given = outcomes([pool.run("INSERT INTO t VALUES (?)", [99], { signal })]);
    const calls = Array.from({ length: 10 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [100 + i]));
    // The thread has those; what comes now is not sent before it has answered.
    await turn();
    calls.push(pool.run("INSERT INTO t VALUES (?)", [110]));
    controller.abort();
    expect(await given).toEqual([signal.reason]);
    vi.advanceTimersByTime(61);
    for (const error of await outcomes(calls)) {
      expect(error).toBeInstanceOf(PoolTimeoutError);
      expect((error as Error).message).toContain("writer 1 runs");
    }
    await held.release(0);
    // The one that was running is not among them.
    expect(await long).toMatchObject({ changes: 1 });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
    await until(() => pool.stats().queued === 0);
    expect(await pool.run("INSERT INTO t VALUES (2)")).toMatchObject({ changes: 1 });
  });

  it("does not end what goes on, however long that takes", async () => {
    const pool = await filled({ acquireTimeout: 20 });
    const held = await holds(pool);
    stopTheClock();
    const calls = [
      pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]),
      pool.get("SELECT hold(?) AS one", [held.name(1)]),
    ];
    await held.entered(0);
    await held.entered(1);
    vi.advanceTimersByTime(80);
    await held.release(0);
    await held.release(1);
    expect(await Promise.all(calls)).toEqual([{ changes: 1, lastInsertRowid: 1 }, { one: 1 }]);
    const work = pool.transaction(async (tx) => {
      vi.advanceTimersByTime(80);
      return await tx.get("SELECT 2 AS two");
    });
    expect(await work).toEqual({ two: 2 });
  });
});

describe("maxWaiting", () => {
  it("rejects who comes when so many wait for others already, and nobody else", async () => {
    const pool = await filled({ maxWaiting: 2 });
    const conn = await pool.acquire();
    const waiting = [
      pool.run("INSERT INTO t VALUES (1)"),
      pool.transaction((tx) => tx.run("INSERT INTO t VALUES (2)")),
    ];
    for (const call of [
      () => pool.run("INSERT INTO t VALUES (3)"),
      () => pool.acquire(),
      () => pool.exec("SELECT 1"),
    ]) {
      const error = await rejection(call);
      expect(error, String(call)).toBeInstanceOf(QueueFullError);
      expect(error).toMatchObject({ code: "SQLITE_AIO_QUEUE_FULL" });
      expect((error as Error).message).toMatch(
        /^2 callers are waiting already \(maxWaiting\); writer 1 is held by acquire\(\) at .*waiting/,
      );
    }
    // The readers have a line of their own.
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    await conn.close();
    await Promise.all(waiting);
    expect(await pool.run("INSERT INTO t VALUES (4)")).toMatchObject({ changes: 1 });
  });

  it("does not count those for whom a connection is being opened", async () => {
    const pool = await filled({ maxWaiting: 0, readers: 3 });
    const held = await holds(pool);
    const reads = Array.from({ length: 3 }, (_, i) => pool.get("SELECT hold(?) AS one", [held.name(i)]));
    for (let i = 0; i < 3; i++) await held.entered(i);
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(QueueFullError);
    for (let i = 0; i < 3; i++) await held.release(i);
    expect(await Promise.all(reads)).toEqual([{ one: 1 }, { one: 1 }, { one: 1 }]);
  });

  it("counts those who wait for a call together with those who wait for a lease", async () => {
    const pool = await filled({ maxWaiting: 1, readers: 1, readLeases: 1 });
    const held = await holds(pool);
    const [leased, over] = [gate(), gate()];
    const reading = pool.read(async () => {
      leased.open();
      await over.opened;
    });
    await leased.opened;
    const call = pool.get("SELECT hold(?) AS one", [held.name(0)]);
    await held.entered(0);
    // More than the connections take, so that one waits and the others are refused.
    const calls = Array.from({ length: 5_000 }, () => pool.get("SELECT 1 AS one"));
    const answers = Promise.allSettled(calls);
    expect(await rejection(pool.read(() => 2))).toBeInstanceOf(QueueFullError);
    over.open();
    await held.release(0);
    expect(await call).toEqual({ one: 1 });
    await reading;
    const states = (await answers).map(({ status }) => status);
    expect(states.lastIndexOf("fulfilled")).toBeLessThan(states.indexOf("rejected"));
  });

  it("makes room when somebody gives up", async () => {
    const pool = await filled({ maxWaiting: 1 });
    const conn = await pool.acquire();
    const controller = new AbortController();
    const first = pool.run("INSERT INTO t VALUES (1)", [], { signal: controller.signal });
    expect(await rejection(pool.run("INSERT INTO t VALUES (2)"))).toBeInstanceOf(QueueFullError);
    controller.abort();
    expect(await rejection(first)).toBe(controller.signal.reason);
    const third = pool.run("INSERT INTO t VALUES (3)");
    await conn.close();
    expect(await third).toMatchObject({ changes: 1 });
  });
});

it("maxQueue rejects a call when so many are not over, waiting or running, leases among them", async () => {
  const pool = await filled({ maxQueue: 10 });
  const calls = Array.from({ length: 8 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i]));
  const lease = pool.acquire();
  const read = pool.get("SELECT 1 AS one");
  for (const call of [() => pool.run("SELECT 1"), () => pool.get("SELECT 1"), () => pool.read(() => 1)]) {
    const error = await rejection(call);
    expect(error, String(call)).toBeInstanceOf(QueueFullError);
    expect((error as Error).message).toContain("maxQueue");
  }
  await Promise.all(calls);
  await (await lease).close();
  expect(await read).toEqual({ one: 1 });
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 8 });
});

describe("signal and timeout", () => {
  it("end a call at every stage, and leave no listener behind", async () => {
    const pool = await filled({ readLeases: 0 });
    const reason = new Error("no longer wanted");
    const aborted = AbortSignal.abort(reason);
    const kinds: [string, (signal: AbortSignal) => Promise<unknown>][] = [
      ["run", (signal) => pool.run("INSERT INTO t VALUES (1)", [], { signal })],
      ["get", (signal) => pool.get("SELECT 1", [], { signal })],
      ["all", (signal) => pool.all("SELECT 1", [], { signal })],
      ["execute", (signal) => pool.execute("SELECT 1", [], { signal })],
      ["exec", (signal) => pool.exec("INSERT INTO t VALUES (1)", { signal })],
      ["iterate", (signal) => collect(pool.iterate("SELECT 1", [], { signal }))],
      ["transaction", (signal) => pool.transaction((tx) => tx.run("INSERT INTO t VALUES (1)"), { signal })],
      ["read", (signal) => pool.read((tx) => tx.get("SELECT 1"), { signal })],
      ["acquire", (signal) => pool.acquire({ signal })],
      ["acquire a reader", (signal) => pool.acquire({ signal, mode: "read" })],
    ];
    for (const [name, call] of kinds) {
      // Before.
      expect(await rejection(call(aborted)), name).toBe(reason);
      // In line. A reader that went on with what was given up before may have been replaced meanwhile.
      await until(() => pool.stats().readers === 1);
      const leases = await Promise.all([pool.acquire(), pool.acquire({ mode: "read" })]);
      const controller = new AbortController();
      const waiting = outcomes([call(controller.signal)]);
      await turn();
      expect(pool.stats().waiting, name).toBe(1);
      controller.abort(reason);
      expect(await waiting, name).toEqual([reason]);
      expect(pool.stats().waiting, name).toBe(0);
      for (const lease of leases) await lease.close();
      // In the tick in which it is made, and in the one after.
      for (const ticks of [0, 1, 2]) {
        const { signal, abort } = aborter(reason);
        const result = outcomes([call(signal)]);
        for (let i = 0; i < ticks; i++) await turn();
        abort();
        const [outcome] = await result;
        if (outcome !== reason) expect(outcome, name).not.toBeInstanceOf(Error);
        if (name.startsWith("acquire") && outcome !== reason) await (outcome as Connection).close();
      }
      // After its end.
      const { signal } = new AbortController();
      const [outcome] = await outcomes([call(signal)]);
      if (name.startsWith("acquire")) await (outcome as Connection).close();
      await until(() => pool.stats().pending === 0);
      expect(getEventListeners(signal, "abort"), name).toEqual([]);
      expect(pool.stats(), name).toMatchObject({ pending: 0, waiting: 0, respawned: 0 });
    }
    await until(() => pool.stats().busy === 0);
  });

  it("run none of what was given up in line", async () => {
    const pool = await filled();
    const conn = await pool.acquire();
    const results = outcomes([
      pool.run("INSERT INTO t VALUES (1)", [], { timeout: 10 }),
      pool.exec("INSERT INTO t VALUES (2)", { timeout: 10 }),
      pool.transaction((tx) => tx.run("INSERT INTO t VALUES (3)"), { signal: AbortSignal.timeout(10) }),
      pool.all("INSERT INTO t VALUES (4) RETURNING a", [], { timeout: 10 }),
    ]);
    const [first, second, third, fourth] = await results;
    for (const error of [first, second, fourth]) {
      expect(error).toBeInstanceOf(OperationalError);
      expect(error).toMatchObject({ code: "SQLITE_INTERRUPT" });
      expect((error as Error).message).toContain("timeout of 10 ms");
    }
    expect(third).toMatchObject({ name: "TimeoutError" });
    await conn.close();
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
  });

  it("count the whole call, waiting and running", async () => {
    const path = await temporaryPath();
    const pool = await filled({ timeout: 600_000 }, path);
    const other = openEngine(path);
    const conn = await pool.acquire();
    other.exec("BEGIN IMMEDIATE");
    stopTheClock();
    const waiting = outcomes([pool.run("INSERT INTO t VALUES (1)", [], { timeout: 300 })]);
    vi.advanceTimersByTime(200);
    await conn.close();
    expect(pool.stats()).toMatchObject({ waiting: 0, pending: 1 });
    vi.advanceTimersByTime(99);
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    // Not 200 + 300.
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    expect(await waiting).toMatchObject([{ code: "SQLITE_INTERRUPT" }]);
    other.exec("ROLLBACK");
    expect(await pool.run("INSERT INTO t VALUES (2)")).toMatchObject({ changes: 1 });
  });

  it("race with the grant: whoever is refused leaves no permit behind", async () => {
    const pool = await filled({ readers: 1 });
    for (let i = 0; i < 300; i++) {
      const conn = await pool.acquire();
      const { signal, abort } = aborter(new Error("no longer wanted"));
      const waiting = outcomes([pool.acquire({ signal })]);
      const behind = pool.run("INSERT INTO t VALUES (?)", [i]);
      // Around the tick in which it is granted.
      if (i % 3 === 0) abort();
      const closed = conn.close();
      if (i % 3 === 1) abort();
      await closed;
      if (i % 3 === 2) abort();
      const [result] = await waiting;
      if (!(result instanceof Error)) await (result as Connection).close();
      await behind;
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 300 });
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ busy: 0, waiting: 0, respawned: 0 });
  });

  it("end calls in line that are given up together, of which none gets the connection of another", async () => {
    const pool = await filled({ readLeases: 0 });
    const held = await holds(pool);
    const running = pool.get("SELECT hold(?) AS one", [held.name(0)]);
    await held.entered(0);
    const { signal, abort } = aborter(new Error("no longer wanted"));
    // The lease waits for the end of what runs, and the read behind it only for the lease.
    const waiting = outcomes([
      pool.acquire({ mode: "read", signal }),
      pool.get("SELECT 1", [], { signal }),
      pool.get("SELECT 2 AS two"),
    ]);
    await turn();
    expect(pool.stats().waiting).toBe(3);
    abort();
    await held.release(0);
    expect(await waiting).toEqual([signal.reason, signal.reason, { two: 2 }]);
    expect(await running).toEqual({ one: 1 });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(pool.stats()).toMatchObject({ pending: 0, waiting: 0 });
  });

  it("of a wrong kind are refused before anything is queued", async () => {
    const pool = await filled();
    for (const options of [{ signal: {} }, { timeout: "1" }, { timeout: 1.5 }, { timeout: -1 }, null]) {
      for (const call of [
        () => pool.run("SELECT 1", [], options as never),
        () => pool.exec("SELECT 1", options as never),
        () => pool.iterate("SELECT 1", [], options as never).next(),
      ]) {
        const error = await rejection(call);
        expect(
          error instanceof TypeError || error instanceof RangeError,
          `${String(call)} ${JSON.stringify(options)}`,
        ).toBe(true);
      }
    }
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0 });
  });
});

function aborter(reason: Error): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort(reason) };
}
