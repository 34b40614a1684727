import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "@sqlite-aio/core";
import { afterAll, expect, it, onTestFinished } from "vitest";
import { holds, openPool } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { figure, seed, soak, times, within } from "./scale.ts";

const READERS = 3;
const WAITERS = 1000;
const ROWS = 10_000;
const ROUNDS = times(1, 60);
const POINT = "SELECT x FROM t WHERE id = ?";

const measured: string[] = [];

/** A pool whose readers are all inside statements that do not end, but for one, which leases and single calls share. */
async function crowded(): Promise<Pool> {
  const pool = await openPool({
    readers: READERS,
    readLeases: 0,
    acquireTimeout: 0,
    pragmas: { synchronous: "OFF" },
  });
  await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER); CREATE TABLE log (x INTEGER)");
  await pool.run(
    "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i, i * 7 FROM n",
    [ROWS],
  );
  const held = await holds(pool);
  const stuck: Promise<unknown>[] = [];
  for (let i = 0; i < READERS - 1; i++) {
    stuck.push(pool.get("SELECT hold(?) AS one", [held.name(i)]));
    await held.entered(i);
  }
  onTestFinished(async () => {
    for (let i = 0; i < READERS - 1; i++) await held.release(i);
    await Promise.all(stuck);
  });
  await pool.get(POINT, [1]);
  expect(pool.stats()).toMatchObject({ readers: READERS });
  return pool;
}

/** Reads one row by its key; gives the milliseconds that it took. */
async function point(pool: Pool, id: number): Promise<number> {
  const began = performance.now();
  expect(await pool.get(POINT, [id])).toEqual({ x: id * 7 });
  return performance.now() - began;
}

it(`with ${READERS - 1} of ${READERS} readers stuck, ${WAITERS} callers waiting for the writer and writes without end, reads are quick and the order is kept`, {
  timeout: within(60_000, 600_000),
}, async () => {
  const pool = await crowded();
  const below = random(seed);
  const state = { over: false };
  let writes = 0;
  const flood = Array.from({ length: 20 }, async () => {
    while (!state.over) {
      await pool.run("INSERT INTO log VALUES (?)", [writes]);
      writes++;
    }
  });
  const latencies: number[] = [];
  const readers = Array.from({ length: 8 }, async () => {
    while (!state.over) {
      latencies.push(await point(pool, 1 + below(ROWS)));
      // A reader that thinks: not all of them stand in line all the time.
      await sleep(below(4));
    }
  });
  for (let round = 0; round < ROUNDS; round++) {
    const order: number[] = [];
    const before = writes;
    await Promise.all(
      Array.from({ length: WAITERS }, async (_, i) => {
        if (i % 2 === 0) {
          await pool.transaction(async (tx) => {
            order.push(i);
            if (i % 10 === 0) await tx.run("INSERT INTO log VALUES (-1)");
          });
        } else {
          await using connection = await pool.acquire();
          order.push(i);
          if (i % 10 === 1) await connection.executeFetchall("SELECT 1");
        }
      }),
    );
    expect(order).toEqual(Array.from({ length: WAITERS }, (_, i) => i));
    // Waiting calls do not delay writes either.
    expect(writes).toBeGreaterThan(before);
    // The same number of reads at once.
    latencies.push(
      ...(await Promise.all(Array.from({ length: WAITERS }, () => point(pool, 1 + below(ROWS))))),
    );
  }
  state.over = true;
  await Promise.all([...flood, ...readers]);
  expect(pool.stats()).toMatchObject({ waiting: 0, respawned: 0, readers: READERS, busy: READERS - 1 });

  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)]!;
  if (soak) expect(p99).toBeLessThanOrEqual(50);
  measured.push(
    `${READERS - 1} of ${READERS} readers stuck, ${ROUNDS * WAITERS} waiters and ${writes} writes: order kept, ${latencies.length} point reads with p99 ${p99.toFixed(1)} ms`,
  );
});

it(`${WAITERS} callers who wait for the one reader that is left have it in the order in which they came`, {
  timeout: within(60_000, 120_000),
}, async () => {
  const pool = await crowded();
  const first = await pool.acquire({ mode: "read" });
  const order: number[] = [];
  const waiting = Array.from({ length: WAITERS }, async (_, i) => {
    const note = (): void => void order.push(i);
    if (i % 3 === 0) return await pool.read(note);
    if (i % 3 === 1) {
      await using connection = await pool.acquire({ mode: "read" });
      note();
      return await connection.executeFetchall("SELECT 1");
    }
    for await (const row of pool.iterate("SELECT 1 AS one")) {
      note();
      expect(row).toEqual({ one: 1 });
    }
  });
  await turn();
  expect(pool.stats()).toMatchObject({ waiting: WAITERS });
  // It comes last, and is not lost among them.
  const last = point(pool, 5).then(() => order.length);
  await first.close();
  await Promise.all(waiting);
  expect(order).toEqual(Array.from({ length: WAITERS }, (_, i) => i));
  expect(await last).toBe(WAITERS);
  measured.push(`${WAITERS} leases of the last reader in order`);
});

afterAll(() => {
  if (measured.length === 2) figure("fair", measured.join("; "));
});
