import {
  capabilities,
  OperationalError,
  type Pool,
  type PoolOptions,
  PoolTimeoutError,
  QueueFullError,
} from "@sqlite-aio/core";
import { describe, expect, it, vi } from "vitest";
import { rejection } from "../support/database.ts";
import { counted, heldPool, type Holds, outcomes, stopTheClock, until } from "../support/pool-support.ts";

// A function of a module goes on whatever is interrupted, with the native companion as without it. With it the callers
// are told a little later.
const patience = capabilities.interrupt ? 4000 : 1000;

async function filled(options: PoolOptions = {}): Promise<{ pool: Pool; held: Holds }> {
  const opened = await heldPool(1, { readers: 1, ...options });
  await opened.pool.get("SELECT 1");
  return opened;
}

/** A call that is given up while its statement runs, and goes on. */
async function abandon(pool: Pool, held: Holds, n: number, call: "get" | "run" = "get"): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const result =
    call === "get"
      ? pool.get("SELECT hold(?) AS one", [held.name(n)], { signal })
      : pool.run("INSERT INTO t SELECT hold(?)", [held.name(n)], { signal });
  const rejected = outcomes([result]);
  await held.entered(n);
  controller.abort();
  expect(await rejected).toEqual([signal.reason]);
}

describe("a reader whose statement nobody waits for", () => {
  it("is set aside, and others take its place; when it is done it is one too many", async () => {
    const { pool, held } = await filled();
    await abandon(pool, held, 0);
    expect(pool.stats().threads).toContainEqual(expect.objectContaining({ role: "reader", stuck: true }));
    expect(await pool.get("SELECT a FROM t")).toEqual({ a: 1 });
    await abandon(pool, held, 1);
    expect(await pool.read((tx) => tx.get("SELECT a FROM t"))).toEqual({ a: 1 });
    expect(pool.stats()).toMatchObject({ readers: 3, respawned: 0 });
    expect(pool.stats().threads.filter(({ stuck }) => stuck)).toHaveLength(2);
    await held.release(0);
    await held.release(1);
    await until(() => pool.stats().readers === 1);
    expect(await pool.get("SELECT a FROM t")).toEqual({ a: 1 });
    expect(pool.stats().threads.filter(({ stuck }) => stuck)).toEqual([]);
  });

  it("is one too many also if it gets a call as soon as it is done", async () => {
    const { pool, held } = await filled({ readers: 2, readLeases: 0 });
    const call = (n: number): Promise<unknown> => pool.get("SELECT hold(?) AS one", [held.name(n)]);
    await abandon(pool, held, 0);
    const calls = [call(1), call(2)];
    await Promise.all([held.entered(1), held.entered(2)]);
    calls.push(call(3));
    await held.release(0);
    await held.entered(3);
    expect(pool.stats()).toMatchObject({ readers: 3, busy: 3 });
    // Surplus readers are closed by a timer otherwise.
    stopTheClock();
    for (let n = 1; n <= 3; n++) await held.release(n);
    await Promise.all(calls);
    expect(pool.stats().readers).toBe(2);
  });

  it("is back before another one is open in its place: then that one leaves", async () => {
    const { alive, createWorker } = counted();
    let opened = Promise.resolve();
    const { pool, held } = await filled({
      readers: 2,
      readLeases: 0,
      createWorker,
      onConnect: () => opened,
    });
    const call = (n: number): Promise<unknown> => pool.get("SELECT hold(?) AS one", [held.name(n)]);
    await abandon(pool, held, 0);
    const calls = [call(1)];
    await held.entered(1);
    let open!: () => void;
    opened = new Promise((resolve) => (open = resolve));
    calls.push(call(2));
    await until(() => alive() === 4);
    await held.release(0);
    await held.entered(2);
    // Surplus readers are closed by a timer otherwise.
    stopTheClock();
    open();
    await until(() => alive() === 3);
    expect(pool.stats()).toMatchObject({ readers: 2, busy: 2 });
    for (let n = 1; n <= 2; n++) await held.release(n);
    await Promise.all(calls);
  });

  it("is named to whoever finds no room behind those who have taken its place", async () => {
    const { pool, held } = await filled({ maxWaiting: 0 });
    await abandon(pool, held, 0);
    const other = await pool.acquire({ mode: "read" });
    const full = await rejection(pool.acquire({ mode: "read" }));
    expect(full).toBeInstanceOf(QueueFullError);
    expect((full as Error).message).toMatch(
      /; reader 1 runs a statement that its caller gave up; reader 2 is held by acquire\(\) at /,
    );
    expect(await pool.get("SELECT a FROM t")).toEqual({ a: 1 });
    await other.close();
    await held.release(0);
    await until(() => pool.stats().readers === 1);
  });

  it("is set aside also after an iteration, a snapshot and a lease", async () => {
    const { pool, held } = await filled();
    const give = async (n: number, start: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
      const controller = new AbortController();
      const rejected = outcomes([start(controller.signal)]);
      await held.entered(n);
      controller.abort();
      expect(await rejected).toEqual([controller.signal.reason]);
      expect(await pool.get("SELECT a FROM t")).toEqual({ a: 1 });
    };
    await give(0, (signal) => pool.iterate("SELECT hold(?)", [held.name(0)], { signal }).next());
    await give(1, (signal) => pool.read((tx) => tx.get("SELECT hold(?)", [held.name(1)]), { signal }));
    await give(2, (signal) => pool.read((tx) => tx.get("SELECT hold(?)", [held.name(2)], { signal })));
    const conn = await pool.acquire({ mode: "read" });
    await give(3, async (signal) => {
      try {
        await conn.execute("SELECT hold(?)", [held.name(3)], { signal });
      } finally {
        void conn.close();
      }
    });
    for (let i = 0; i < 4; i++) await held.release(i);
    await until(() => pool.stats().readers === 1 && pool.stats().pending === 0);
  });

  it("does not keep the pool from closing", async () => {
    const { pool, held } = await filled();
    await abandon(pool, held, 0);
    // Not by force: that would come after the test's own time limit.
    await pool.close({ timeout: 3_600_000 });
    expect(pool.stats()).toMatchObject({ readers: 0, writers: 0 });
  });
});

describe("a writer whose statement nobody waits for", () => {
  it("is not replaced, since its lock stands: whoever comes waits, and is told so", async () => {
    const { pool, held } = await filled({ acquireTimeout: patience, maxWaiting: 2 });
    await abandon(pool, held, 0, "run");
    const waiting = [pool.run("INSERT INTO t VALUES (2)"), pool.transaction(() => 1)];
    const full = await rejection(pool.run("INSERT INTO t VALUES (3)"));
    expect(full).toBeInstanceOf(QueueFullError);
    for (const error of [full, ...(await outcomes(waiting))]) {
      if (error !== full) expect(error).toBeInstanceOf(PoolTimeoutError);
      expect(error).toBeInstanceOf(OperationalError);
      expect((error as Error).message).toContain(
        "writer 1 runs a statement that its caller gave up; its lock stands until that ends",
      );
    }
    expect(pool.stats()).toMatchObject({ writers: 1, respawned: 0 });
    // Reads are not concerned.
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1 });
    await held.release(0);
    await until(() => pool.stats().threads.every(({ stuck }) => !stuck));
    expect(await pool.run("INSERT INTO t VALUES (4)")).toMatchObject({ changes: 1 });
    expect(pool.stats()).toMatchObject({ writers: 1, respawned: 0 });
  });

  it("serves those who waited when it is done", async () => {
    const { pool, held } = await filled();
    await abandon(pool, held, 0, "run");
    const waiting = [
      pool.run("INSERT INTO t VALUES (2)"),
      pool.transaction((tx) => tx.run("INSERT INTO t VALUES (3)")),
      pool.exec("INSERT INTO t VALUES (4)"),
    ];
    await held.release(0);
    await Promise.all(waiting);
    const rows = await pool.all<{ a: number }>("SELECT a FROM t WHERE a > 1 ORDER BY a");
    expect(rows.map(({ a }) => a)).toEqual([2, 3, 4]);
  });

  it("is waited for by a close, until its deadline", async () => {
    const { pool, held } = await filled();
    await abandon(pool, held, 0, "run");
    // The statement goes on beyond that.
    await pool.close({ timeout: 50 });
    await held.release(0);
    expect(await rejection(pool.run("INSERT INTO t VALUES (2)"))).toMatchObject({
      name: "ConnectionClosedError",
    });
  });
});

it("a writer whose script cannot be stopped is known for that as soon as the script is given up", async () => {
  const engine = new URL("../fixtures/engine-without-extensions.mjs", import.meta.url);
  const { pool, held } = await filled({ engine, maxWaiting: 0 });
  const controller = new AbortController();
  const script = `INSERT INTO t VALUES (2); INSERT INTO t SELECT hold('${held.name(0)}')`;
  const given = rejection(pool.exec(script, { signal: controller.signal }));
  await held.entered(0);
  controller.abort();
  expect(await given).toBe(controller.signal.reason);
  expect(await rejection(pool.run("INSERT INTO t VALUES (3)"))).toMatchObject({
    name: "QueueFullError",
    message: expect.stringContaining("writer 1 runs a statement that its caller gave up"),
  });
  await held.release(0);
  await until(() => pool.stats().pending === 0 && pool.stats().busy === 0);
  expect(pool.stats().threads.filter(({ stuck }) => stuck)).toEqual([]);
  expect(await pool.run("INSERT INTO t VALUES (4)")).toMatchObject({ changes: 1 });
  expect(await pool.get("SELECT group_concat(a) AS a FROM t")).toEqual({ a: "1,2,1,4" });
});

it("the connections of a plain pool are not replaced either, and the others go on", async () => {
  const { pool, held } = await filled({ readers: 0, writers: 2 });
  await abandon(pool, held, 0);
  for (let i = 0; i < 5; i++) {
    expect(await pool.run("INSERT INTO t VALUES (2)")).toMatchObject({ changes: 1 });
    expect(await pool.get("SELECT min(a) AS a FROM t")).toEqual({ a: 1 });
  }
  expect(pool.stats()).toMatchObject({ writers: 2, respawned: 0 });
  await held.release(0);
  await until(() => pool.stats().idle === 2);
});

it("calls behind a statement that goes on are given up each in its own time", async () => {
  const { pool, held } = await filled({ acquireTimeout: 150 });
  stopTheClock();
  const running = pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]);
  await held.entered(0);
  const settled: string[] = [];
  const behind = async (name: string): Promise<void> => {
    expect(await rejection(pool.run("INSERT INTO t VALUES (?)", [name]))).toBeInstanceOf(PoolTimeoutError);
    settled.push(name);
  };
  const early = behind("early");
  vi.advanceTimersByTime(75);
  const late = behind("late");
  vi.advanceTimersByTime(76);
  await early;
  expect(settled).toEqual(["early"]);
  vi.advanceTimersByTime(75);
  await late;
  await held.release(0);
  expect(await running).toMatchObject({ changes: 1 });
  expect(await pool.get("SELECT group_concat(a) AS a FROM t")).toEqual({ a: "1,1" });
});
