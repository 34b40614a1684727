import type { Pool } from "@sqlite-aio/core";
import { beforeEach, expect, it, vi } from "vitest";
import { openPool } from "../support/pool-support.ts";

// How long a read takes decides whether others join it. So that no busy machine has a say in that, a microsecond passes
// with each look at the clock, here and in the threads, and none in between.
vi.hoisted(() => {
  let looks = 0;
  performance.now = () => ++looks / 1000;
});

const READ = "SELECT a FROM t WHERE id = ?";

let pool: Pool;
const read = (): Promise<unknown> => pool.get(READ, [1]);

beforeEach(async () => {
  pool = await openPool({ readers: 2, setup: new URL("../fixtures/counted-clock.mjs", import.meta.url) });
  await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('x'), ('y')");
  // Both readers are open.
  const leases = await Promise.all([pool.acquire({ mode: "read" }), pool.acquire({ mode: "read" })]);
  await Promise.all(leases.map((lease) => lease.close()));
});

it("reads that were called before their text was known to be quick share readers as soon as it is", async () => {
  const left: number[] = [];
  const reads = Array.from({ length: 2000 }, async () => {
    await read();
    left.push(pool.stats().waiting);
  });
  expect(pool.stats()).toMatchObject({ busy: 2, waiting: 1998 });
  await Promise.all(reads);
  // Each reader has one or two by itself: the second is placed before it is noted how quick the first was.
  expect(left[0]).toBeGreaterThan(1900);
  expect(left[4]).toBe(0);
});

it("quick reads of many callers share a thread that is awake instead of waking the others", async () => {
  await read();
  // A text that nothing is known of gets a thread of its own, which others may share again when it is over.
  await Promise.all([pool.get("SELECT 1 AS first"), pool.get("SELECT 1 AS second")]);
  const counts = (): number[] => pool.stats().threads.map(({ executed }) => executed);
  const before = counts();
  for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 12 }, read));
  const grown = counts().map((count, i) => count - before[i]!);
  expect(grown.toSorted((a, b) => b - a)).toEqual([480, 0, 0]);
});
