// Measures how long point reads take while other callers download or compute, with the pool's defaults: `pnpm
// exercise:beside`.
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createPool, type Pool } from "@sqlite-aio/core";
import Table from "cli-table3";
import { diskDirectory, loadFlights } from "./database.ts";
import { environment } from "./environment.ts";

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const size = values.quick
  ? { flights: 20_000, rounds: 1, windowMs: 200, aggregateMs: 20 }
  : { flights: Number.POSITIVE_INFINITY, rounds: 5, windowMs: 2500, aggregateMs: 1000 };
const CALLERS = 8;

/** Another caller of the pool: calls `started` once it has its first row, and continues until `over` is true. */
type OtherCaller = (pool: Pool, over: () => boolean, started: () => void) => Promise<void>;

/** Takes 100 rows of the whole table every 10 ms, over and over, like a client with a slow connection. */
const download: OtherCaller = async (pool, over, started) => {
  while (!over()) {
    const flights = pool.iterate("SELECT delay, distance, time FROM flights");
    for (let taken = 1; !(await flights.next()).done && !over(); taken++) {
      started();
      if (taken % 100 === 0) await wait(10);
    }
    await flights.return?.();
  }
};

/** Number of steps that take about the time wanted here. */
let steps = 10_000;
const AGGREGATE = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?)
  SELECT count(*) FROM n JOIN flights ON flights.rowid = 1 + n.i % 1000`;

const aggregate: OtherCaller = async (pool, over, started) => {
  while (!over()) {
    await pool.get(AGGREGATE, [steps]);
    started();
  }
};

/** Each situation has a limit for its p99: a ratio to the p99 without other callers. */
const SITUATIONS: readonly (readonly [name: string, others: readonly OtherCaller[], atMost: number])[] = [
  ["nothing", [], 1],
  ["1 slow download", [download], 3],
  ["8 slow downloads", Array<OtherCaller>(8).fill(download), 3],
  ["an aggregate of 1 s, over and over", [aggregate], 5],
];

/** The latencies of point reads by 8 callers, in ms, sorted. */
async function pointReads(file: string, flights: number, others: readonly OtherCaller[]): Promise<number[]> {
  await using pool = await createPool(file);
  const latencies: number[] = [];
  let state: "warm up" | "count" | "over" = "warm up";
  const over = (): boolean => state === "over";
  const ends: Promise<void>[] = [];
  // One-time costs, such as the start of a thread, are not counted.
  const starts = others.map(
    (other) => new Promise<void>((resolve) => void ends.push(other(pool, over, resolve))),
  );
  const callers = Array.from({ length: CALLERS }, async (_, number) => {
    for (let id = number; !over(); id = (id * 31 + 17) % flights) {
      const began = performance.now();
      await pool.get("SELECT delay, distance, time FROM flights WHERE rowid = ?", [1 + id]);
      if (state === "count") latencies.push(performance.now() - began);
    }
  });
  const all = Promise.all([...callers, ...ends]);
  await Promise.race([all, Promise.all([...starts, wait(size.windowMs / 4)])]);
  state = "count";
  await Promise.race([all, wait(size.windowMs)]);
  state = "over";
  await all;
  return latencies.toSorted((a, b) => a - b);
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

await using directory = await diskDirectory();
const file = join(directory.path, "flights.db");
const flights = await loadFlights(file, size.flights);
{
  await using pool = await createPool(file);
  const began = performance.now();
  await pool.get(AGGREGATE, [steps]);
  steps = Math.ceil((steps * size.aggregateMs) / (performance.now() - began));
}

const figures = SITUATIONS.map(() => ({
  calls: [] as number[],
  p99: [] as number[],
  longest: [] as number[],
}));
for (let round = 0; round < size.rounds; round++) {
  for (const [index, [, others]] of SITUATIONS.entries()) {
    const latencies = await pointReads(file, flights, others);
    figures[index]!.calls.push((latencies.length * 1000) / size.windowMs);
    figures[index]!.p99.push(latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN);
    figures[index]!.longest.push(latencies.at(-1) ?? Number.NaN);
  }
}

const table = new Table({
  style: { head: [], border: [], compact: true },
  head: ["beside", "calls a second", "p99, ms", "ratio", "at most", "the longest, ms"],
  colAligns: ["left", "right", "right", "right", "right", "right"],
});
let missed = 0;
for (const [index, [name, , atMost]] of SITUATIONS.entries()) {
  const { calls, p99, longest } = figures[index]!;
  const ratio = median(p99.map((value, round) => value / figures[0]!.p99[round]!));
  if (ratio > atMost) missed++;
  table.push([
    name,
    Math.round(median(calls)).toLocaleString("en-US"),
    median(p99).toFixed(2),
    `${ratio.toFixed(1)} x`,
    `${atMost} x`,
    median(longest).toFixed(2),
  ]);
}
console.log(`Point reads of ${CALLERS} callers, by a pool with its defaults:`);
console.log(table.toString());
console.log(`medians of ${size.rounds} rounds of ${size.windowMs} ms; ${environment()}`);
if (missed > 0 && !values.quick) {
  console.log(`${missed} of them took longer than they may`);
  process.exitCode = 1;
}
