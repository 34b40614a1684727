import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { start } from "./child.ts";
import { timeFactor } from "../support/time-factor.ts";
import { figure, seed, soak, times, within } from "./scale.ts";

const INCREMENTS = times(250, 5000);
const LOCK_MS = times(1000, 10_000);

const measured: string[] = [];

it(`4 processes x ${INCREMENTS} increments of one counter lose none`, {
  timeout: within(60_000, 600_000),
}, async () => {
  const path = await temporaryPath();
  openEngine(path).exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE counter (n); INSERT INTO counter VALUES (0)",
  );
  const children = ["pool", "connection", "pool", "connection"].map((kind) =>
    start("lock-increment.ts", [kind, path, String(INCREMENTS)], { limitMs: within(50_000, 500_000) }),
  );
  const ended = await Promise.all(children.map((child) => child.ended));
  expect(ended.map(({ code, signal, stderr }) => ({ code, signal, stderr }))).toEqual(
    children.map(() => ({ code: 0, signal: null, stderr: "" })),
  );
  const total = openEngine(path).prepare("SELECT n FROM counter").pluck().get();
  expect(total).toBe(4 * INCREMENTS);
  measured.push(`4 processes x ${INCREMENTS} increments: ${String(total)}`);
});

/** The other process, once it has the lock. */
async function holder(path: string): Promise<ChildProcess> {
  const child = fork(new URL("lock-holder.ts", import.meta.url), [path]);
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await once(child, "message")).toEqual(["locked", undefined]);
  return child;
}

/** The longest time between two turns of the loop, in all and since the last {@link LoopWatch.mark}. */
class LoopWatch {
  readonly #timer = setInterval(() => this.#turned(), 2);
  #latest = performance.now();
  #sinceMark = 0;
  longest = 0;

  mark(): void {
    this.#turned();
    this.#sinceMark = 0;
  }

  get sinceMark(): number {
    this.#turned();
    return this.#sinceMark;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #turned(): void {
    const now = performance.now();
    const gap = now - this.#latest;
    this.#latest = now;
    this.#sinceMark = Math.max(this.#sinceMark, gap);
    this.longest = Math.max(this.longest, gap);
  }
}

it.each(["wal", "delete"])(
  `a lock that another process holds for ${LOCK_MS} ms is waited for, with journal_mode = %s: aborts are answered meanwhile, and the loop turns`,
  { timeout: within(60_000, 120_000) },
  async (journal) => {
    const path = await temporaryPath();
    openEngine(path).exec(`PRAGMA journal_mode = ${journal}; CREATE TABLE t (x INTEGER PRIMARY KEY)`);
    const pool =
      journal === "wal" ? await openPool({ readers: 1, timeout: 120_000, acquireTimeout: 0 }, path) : null;
    const db = await open(path, { timeout: 120_000, isolationLevel: null });
    const insert = "INSERT INTO t (x) VALUES (?)";
    await pool?.get("SELECT count(*) FROM t");

    const child = await holder(path);
    const locked = performance.now();
    const kept: Promise<unknown>[] = [db.execute(insert, [3])];
    if (pool !== null)
      kept.push(
        pool.run(insert, [1]),
        pool.transaction((tx) => tx.run(insert, [2])),
      );
    let answered = 0;
    for (const call of kept) void call.then(() => answered++);
    const loop = new LoopWatch();
    onTestFinished(() => loop.stop());
    const below = random(seed);
    const latencies: number[] = [];
    const punctual: number[] = [];
    let reads = 0;
    // On a busy machine there are few in the time.
    for (let x = 10; performance.now() - locked < LOCK_MS || latencies.length < 20; x++) {
      const controller = new AbortController();
      const { signal } = controller;
      const call = [
        () => db.execute(insert, [x], { signal }),
        () => db.executemany(insert, [[x]], { signal }),
        () => db.transaction((tx) => tx.execute(insert, [x]), { mode: "immediate", signal }),
        () => db.executescript(`INSERT INTO t (x) VALUES (${x})`, { signal }),
        () =>
          pool === null
            ? db.executeInsert(insert, [x], { signal })
            : pool.transaction((tx) => tx.run(insert, [x]), { signal }),
      ][below(5)]!;
      const reason = new Error(`enough of ${x}`);
      const rejected = rejection(call());
      // A random moment: before the first attempt, while it waits, or when the lock has gone.
      await sleep(below(40));
      loop.mark();
      const aborted = performance.now();
      controller.abort(reason);
      expect(await rejected).toBe(reason);
      const latency = performance.now() - aborted;
      latencies.push(latency);
      // A loop that gets no turn from a busy machine is late by itself.
      punctual.push(latency - loop.sinceMark);
      // Calls that only read are not affected.
      if (pool !== null) {
        expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
        reads++;
      }
    }
    loop.stop();
    const stall = loop.longest;
    expect(answered).toBe(0);
    const released = once(child, "message");
    child.send("release");
    await released;
    const unlocked = performance.now();
    const lockedMs = unlocked - locked;
    await Promise.all(kept);
    const late = performance.now() - unlocked;
    const stored = openEngine(path).prepare("SELECT x FROM t ORDER BY x").pluck().all();
    expect(stored).toEqual(pool === null ? [0, 3] : [0, 1, 2, 3]);
    expect(await rejection(db.execute(insert, [3]))).toMatchObject({ code: "SQLITE_CONSTRAINT_PRIMARYKEY" });

    const worst = Math.max(...latencies);
    // A call that waited behind it would have no answer before the lock is free, and would wait forever.
    expect(Math.max(...punctual)).toBeLessThan(soak ? 100 : LOCK_MS * timeFactor());
    // While the loop was blocked, nothing else would have been done.
    expect(stall).toBeLessThan(soak ? LOCK_MS / 20 : lockedMs / 2);
    expect(late).toBeLessThan(LOCK_MS * timeFactor());
    measured.push(
      `${lockedMs.toFixed(0)} ms lock (${journal}): ${latencies.length} aborts answered in <= ${worst.toFixed(0)} ms, ${reads} reads, loop stalled <= ${stall.toFixed(0)} ms, written ${late.toFixed(0)} ms after`,
    );
  },
);

afterAll(() => {
  if (measured.length === 3) figure("locks", measured.join("; "));
});
