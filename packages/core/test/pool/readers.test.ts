import type { Pool, PoolOptions } from "@sqlite-aio/core";
import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { heldPool, type Holds, until } from "../support/pool-support.ts";

/** A pool with the number of readers that a user gets who says nothing, or `options`. */
const filled = (options: PoolOptions = {}): Promise<{ pool: Pool; held: Holds }> => heldPool(3, options);

const atLeast = Math.min(4, Math.max(2, availableParallelism() - 1));

it("a loop over rows may ask the pool about each of them, also with one reader, and loops in loops may", async () => {
  for (const options of [{}, { readers: 1, readLeases: 2 }]) {
    const { pool } = await filled({ acquireTimeout: 5000, ...options });
    const seen: unknown[] = [];
    for await (const { a } of pool.iterate("SELECT a FROM t")) {
      for await (const { a: b } of pool.iterate("SELECT a FROM t WHERE a > ?", [a as number])) {
        seen.push([a, b, (await pool.get("SELECT count(*) AS n FROM t"))!["n"]]);
      }
    }
    expect(seen).toEqual([
      [1, 2, 3],
      [1, 3, 3],
      [2, 3, 3],
    ]);
  }
});

it("leases take none of the readers for single calls, as many of them as there may be", async () => {
  const { pool, held } = await filled({ acquireTimeout: 5000 });
  const leases = await Promise.all(Array.from({ length: 8 }, () => pool.acquire({ mode: "read" })));
  const slow = Array.from({ length: atLeast }, (_, i) => pool.get("SELECT hold(?) AS a", [held.name(i)]));
  await Promise.all(slow.map((_, i) => held.entered(i)));
  expect(pool.stats()).toMatchObject({ readers: 8 + atLeast, waiting: 0 });
  for (const [i] of slow.entries()) await held.release(i);
  expect(await Promise.all(slow)).toEqual(slow.map(() => ({ a: 1 })));
  for (const lease of leases) await lease.close();
  // The readers that were opened for them are closed when they are not needed any more.
  await until(() => pool.stats().readers <= atLeast);
  expect(await pool.get("SELECT 7 AS a")).toEqual({ a: 7 });
});

it("a lease too many waits for one to be given back, and keeps no single call waiting", async () => {
  const { pool } = await filled({ readers: 1 });
  const lease = await pool.acquire({ mode: "read" });
  const next = pool.acquire({ mode: "read" });
  expect(await pool.get("SELECT 7 AS a")).toEqual({ a: 7 });
  expect(pool.stats()).toMatchObject({ waiting: 1, readers: 2 });
  await lease.close();
  await (await next).close();
  expect(pool.stats()).toMatchObject({ waiting: 0, pending: 0 });
});

it("there are never more than for calls and leases together, and calls keep no lease waiting", async () => {
  const { pool, held } = await filled({ readers: 2, readLeases: 1 });
  const hold = async (i: number): Promise<{ reading: Promise<unknown> }> => {
    const reading = pool.get("SELECT hold(?) AS a", [held.name(i)]);
    await held.entered(i);
    return { reading };
  };
  const reads = [await hold(0), await hold(1)];
  // The reader of the ended lease serves calls.
  await (await pool.acquire({ mode: "read" })).close();
  reads.push(await hold(2));
  const lease = pool.acquire({ mode: "read" });
  const waiting = hold(3);
  expect(pool.stats()).toMatchObject({ readers: 3, waiting: 2 });
  await held.release(2);
  const lent = await lease;
  expect(pool.stats()).toMatchObject({ readers: 3, waiting: 1 });
  await lent.close();
  reads.push(await waiting);
  for (const i of [0, 1, 3]) await held.release(i);
  expect(await Promise.all(reads.map(({ reading }) => reading))).toEqual(reads.map(() => ({ a: 1 })));
});

it("a read that waits while all readers are busy with long statements gets another", async () => {
  const { pool, held } = await filled();
  const slow = Array.from({ length: atLeast }, (_, i) => pool.get("SELECT hold(?) AS a", [held.name(i)]));
  await Promise.all(slow.map((_, i) => held.entered(i)));
  expect(await pool.get("SELECT 7 AS a")).toEqual({ a: 7 });
  expect(pool.stats()).toMatchObject({ readers: atLeast + 1, waiting: 0 });
  for (const [i] of slow.entries()) await held.release(i);
  await Promise.all(slow);
  await until(() => pool.stats().readers <= atLeast);
});

it("reads that queue behind a quick text that is slow this time are run elsewhere", async () => {
  const { pool, held } = await filled({ readers: 2 });
  const sql = "SELECT CASE WHEN ? = '' THEN 0 ELSE hold(?) END AS a, ? AS b";
  const quick = "SELECT ? AS b";
  // Both texts are known to be quick.
  for (let i = 0; i < 30; i++) {
    await pool.get(sql, ["", "", i]);
    await pool.get(quick, [i]);
  }
  const slow = pool.get(sql, [held.name(0), held.name(0), "slow"]);
  // In the same frame, behind it: blobs stay, since their memory is there already.
  const behind = Array.from({ length: 20 }, (_, i) => pool.get(quick, [i]));
  await held.entered(0);
  const later = Array.from({ length: 20 }, (_, i) => pool.get(quick, [100 + i]));
  expect(await Promise.all(behind)).toEqual(behind.map((_, i) => ({ b: i })));
  expect(await Promise.all(later)).toEqual(later.map((_, i) => ({ b: 100 + i })));
  await held.release(0);
  expect(await slow).toEqual({ a: 1, b: "slow" });
  await until(() => pool.stats().busy === 0);
  expect(pool.stats()).toMatchObject({ queued: 0, pending: 0, respawned: 0 });
});

it("a read with a blob that waits behind a slow one gets its own bytes", async () => {
  const { pool, held } = await filled({ readers: 2 });
  for (let i = 0; i < 30; i++) await pool.get("SELECT ? AS b", [i]);
  for (let i = 0; i < 30; i++)
    await pool.get("SELECT CASE WHEN ? = '' THEN 0 ELSE hold(?) END AS a", ["", ""]);
  const slow = pool.get("SELECT CASE WHEN ? = '' THEN 0 ELSE hold(?) END AS a", [held.name(0), held.name(0)]);
  const blob = pool.get("SELECT ? AS b", [Buffer.from("bytes")]);
  await held.entered(0);
  // Longer than the pool waits before it takes back what stands behind a slow call: it does not take this one, and says so
  // to nobody.
  setTimeout(() => void held.release(0), 50);
  expect(await blob).toEqual({ b: Buffer.from("bytes") });
  expect(await slow).toEqual({ a: 1 });
});

it("the pool's own checkpoint is nobody's call: it is counted apart", async () => {
  const { pool } = await filled();
  const before = pool.stats();
  await until(() => pool.stats().housekeeping > before.housekeeping);
  expect(pool.stats()).toMatchObject({ executed: before.executed, busy: 0, queued: 0 });
});

it("a reader is not taken for slow whose answers only wait for the main loop", async () => {
  const { pool } = await filled({ readers: 2 });
  const read = (): Promise<unknown> => pool.get("SELECT a FROM t WHERE a = 1");
  for (let i = 0; i < 50; i++) await read();
  const first = read();
  // It is sent, and answered while the main loop is busy.
  await new Promise((resolve) => {
    process.nextTick(resolve);
  });
  const end = performance.now() + 300;
  while (performance.now() < end);
  const next = read();
  for (let i = 0; i < 20; i++) await Promise.resolve();
  expect(pool.stats()).toMatchObject({ waiting: 0, readers: 1, pending: 2 });
  expect(await Promise.all([first, next])).toEqual([{ a: 1 }, { a: 1 }]);
});
