import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { createPool, type Pool } from "@sqlite-aio/core";
import { Disturbance } from "./disturbance.ts";
import type { Setup, Synchronous } from "./setups.ts";
import { Calls, type Work } from "./work.ts";

/** One measurement: a number of callers, each with one call under way at any time. */
export interface Sample {
  readonly callsPerSecond: number;
  /** 99th percentile of the watched calls of the work. */
  readonly p99Ms: number;
  /** Number of open connections at the end. */
  readonly connections: number;
  /** Number of cores that other processes used during it. */
  readonly disturbedBy: number;
}

export interface Plan {
  readonly file: string;
  readonly flights: number;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

/** Opens the database, lets `callers` run until they are warm, and counts the answered calls in the window. */
export async function measure(
  { file, flights, warmUpMs, windowMs }: Plan,
  { options }: Setup,
  work: Work,
  callers: number,
  synchronous: Synchronous,
): Promise<Sample> {
  await using pool = await createPool(file, { ...options, pragmas: { synchronous } });
  // The default pool opens its first reader for the first read. Work that seldom reads would otherwise open it inside
  // the window.
  await pool.get("SELECT 1");
  const latencies: number[] = [];
  let counting = false;
  const stop = new AbortController();
  let answered = 0;
  let warm = 0;

  const caller = async (number: number): Promise<void> => {
    const calls = new Calls(pool, work, flights, number);
    let first = true;
    while (!stop.signal.aborted) {
      const began = performance.now();
      const kind = await calls.next();
      if (first) warm++;
      first = false;
      if (!counting) continue;
      answered++;
      if (kind === work.watched) latencies.push(performance.now() - began);
    }
  };
  const running = Array.from({ length: callers }, (_, number) => caller(number + 1));
  const failed = Promise.all(running);

  await Promise.race([failed, warmUp(pool, warmUpMs, () => warm === callers)]);
  counting = true;
  const disturbance = new Disturbance();
  const began = performance.now();
  // At least one call must be answered in a window.
  do await Promise.race([failed, wait(windowMs)]);
  while (latencies.length === 0);
  const seconds = (performance.now() - began) / 1000;
  const disturbedBy = disturbance.cores;
  counting = false;
  stop.abort();
  const { writers, readers } = pool.stats();
  await failed;

  latencies.sort((a, b) => a - b);
  return {
    callsPerSecond: answered / seconds,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)]!,
    connections: writers + readers,
    disturbedBy,
  };
}

/** Waits until every caller has had an answer and the pool has opened all connections for this load. */
async function warmUp(pool: Pool, ms: number, everyCallerAnswered: () => boolean): Promise<void> {
  const began = performance.now();
  let open = 0;
  let openSince = began;
  for (;;) {
    await wait(5);
    const now = performance.now();
    const { writers, readers } = pool.stats();
    if (writers + readers !== open) {
      open = writers + readers;
      openSince = now;
    }
    if (now - began >= ms && now - openSince >= ms && everyCallerAnswered()) return;
  }
}
