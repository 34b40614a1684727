import { expect, it } from "vitest";
import { rejection } from "../support/database.ts";
import { heldPool, type Holds, openPool, outcomes, until } from "../support/pool-support.ts";
import type { Pool, PoolOptions } from "@sqlite-aio/core";

const filled = (options: PoolOptions): Promise<{ pool: Pool; held: Holds }> => heldPool(3, options);

const holding = (pool: Pool, held: Holds, from: number, to: number): Promise<unknown>[] =>
  Array.from({ length: to - from }, (_, i) => pool.get("SELECT hold(?) AS a", [held.name(from + i)]));

it("a pool with more readers opens them for those who wait already", async () => {
  const { pool, held } = await filled({ readers: 1 });
  expect(pool.readers).toBe(1);
  const slow = holding(pool, held, 0, 1);
  await held.entered(0);
  slow.push(...holding(pool, held, 1, 3));
  expect(pool.stats()).toMatchObject({ readers: 1, pending: 3 });
  pool.readers = 3;
  expect(pool.readers).toBe(3);
  await Promise.all([held.entered(1), held.entered(2)]);
  expect(pool.stats()).toMatchObject({ readers: 3, waiting: 0 });
  for (let i = 0; i < 3; i++) await held.release(i);
  expect(await Promise.all(slow)).toEqual([{ a: 1 }, { a: 1 }, { a: 1 }]);
});

it("a pool with fewer readers closes those that are idle at once, and the others when they are done", async () => {
  const { pool, held } = await filled({ readers: 4 });
  const slow = holding(pool, held, 0, 4);
  await Promise.all(slow.map((_, i) => held.entered(i)));
  await held.release(3);
  expect(await slow.pop()).toEqual({ a: 1 });
  expect(pool.stats().readers).toBe(4);
  pool.readers = 1;
  expect(pool.readers).toBe(1);
  // The idle one is gone; three are at their statements, two of them for the last time.
  expect(pool.stats()).toMatchObject({ readers: 3, busy: 3 });
  const waiting = holding(pool, held, 4, 6);
  expect(pool.stats()).toMatchObject({ readers: 3, pending: 5 });
  for (let i = 0; i < 3; i++) await held.release(i);
  expect(await Promise.all(slow)).toEqual([{ a: 1 }, { a: 1 }, { a: 1 }]);
  await held.entered(4);
  await until(() => pool.stats().readers === 1);
  // One after the other, on the remaining reader.
  expect(pool.stats().pending).toBe(2);
  await held.release(4);
  expect(await waiting[0]).toEqual({ a: 1 });
  await held.entered(5);
  expect(pool.stats()).toMatchObject({ readers: 1, pending: 1 });
  await held.release(5);
  expect(await Promise.all(waiting)).toEqual([{ a: 1 }, { a: 1 }]);
  expect(pool.stats().respawned).toBe(0);
});

it("a reader that was to go stays where the pool grows again before it is done", async () => {
  const { pool, held } = await filled({ readers: 2 });
  const slow = holding(pool, held, 0, 2);
  await Promise.all([held.entered(0), held.entered(1)]);
  pool.readers = 1;
  pool.readers = 2;
  await held.release(0);
  await held.release(1);
  await Promise.all(slow);
  await until(() => pool.stats().idle === 3);
  expect(pool.stats()).toMatchObject({ readers: 2, waiting: 0 });
});

it("nothing is lost while readers come and go under load", async () => {
  const { pool } = await filled({ readers: 2 });
  const sizes = [4, 1, 3, 1, 2];
  const calls: Promise<unknown>[] = [];
  for (let round = 0; round < 50; round++) {
    pool.readers = sizes[round % sizes.length]!;
    for (let i = 0; i < 20; i++) calls.push(pool.get("SELECT count(*) AS n FROM t, t AS u"));
    const rows: unknown[] = [];
    for await (const { a } of pool.iterate("SELECT a FROM t")) rows.push(a);
    expect(rows).toEqual([1, 2, 3]);
  }
  expect(new Set((await outcomes(calls)).map((row) => (row as { n: number }).n))).toEqual(new Set([9]));
  await until(() => pool.stats().readers <= 2 && pool.stats().pending === 0);
  expect(pool.stats()).toMatchObject({ waiting: 0, respawned: 0 });
});

it("a lease keeps its reader while the pool has fewer, and gives it back to nobody", async () => {
  const { pool } = await filled({ readers: 2, readLeases: 0 });
  const first = await pool.acquire({ mode: "read" });
  const second = await pool.acquire({ mode: "read" });
  pool.readers = 1;
  expect(await first.executeFetchall("SELECT count(*) FROM t")).toEqual([[3]]);
  expect(await second.executeFetchall("SELECT count(*) FROM t")).toEqual([[3]]);
  await first.close();
  await second.close();
  await until(() => pool.stats().readers === 1);
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
});

it("what cannot be a number of readers is refused, and nothing changes", async () => {
  const { pool } = await filled({ readers: 2 });
  for (const wrong of ["3", 1.5, null, undefined])
    expect(() => (pool.readers = wrong as never)).toThrow(TypeError);
  for (const wrong of [0, -1, 2 ** 31]) expect(() => (pool.readers = wrong)).toThrow(RangeError);
  expect(pool.readers).toBe(2);
  for (const equal of [await openPool({ readers: 0, writers: 2 }), await openPool({}, ":memory:")]) {
    expect(equal.readers).toBe(0);
    expect(() => (equal.readers = 2)).toThrow(RangeError);
  }
  await pool.close();
  expect(await rejection(async () => (pool.readers = 3))).toMatchObject({ name: "ConnectionClosedError" });
});
