import { setTimeout as delay } from "node:timers/promises";
import type { Load } from "../callers.ts";
import type { Row } from "../driver.ts";
import { collectGarbage, rssMb } from "../measure.ts";
import type { Trial } from "../trial.ts";
import { readByKey } from "./point-read.ts";

const CALLERS = 64;
const EARLY = 200_000;
const LATE = 1_000_000;

export const million: Trial = {
  name: "million",
  title: "A million calls",
  description:
    "1,000,000 point reads, 64 in flight: resident memory, live heap and handles after 200,000 and after all of them, with `--max-semi-space-size=8`: without it V8 lets the young generation of a busy process grow, which is not a leak.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: CALLERS },
  needs: ["get"],
  drivers: ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3"],
  maxRounds: 1,
  nodeOptions: ["--max-semi-space-size=8"],
  columns: ["rssGrowthMb", "heapGrowthMb", "rssEarlyMb", "rssLateMb", "handlesGrowth"],
  async run({ open, driver }) {
    const load = { callers: CALLERS, blocks: driver.blocks, ...readByKey(await open(), CALLERS) };
    await repeat(load, EARLY);
    const early = await footprint();
    await repeat(load, LATE - EARLY);
    const late = await footprint();
    return {
      heapGrowthMb: late.heap - early.heap,
      rssGrowthMb: late.rss - early.rss,
      rssEarlyMb: early.rss,
      rssLateMb: late.rss,
      handlesGrowth: late.handles - early.handles,
    };
  },
};

interface Footprint {
  readonly rss: number;
  /** Memory in use after a collection: a leak makes it grow, V8's arena does not. */
  readonly heap: number;
  readonly handles: number;
}

async function footprint(): Promise<Footprint> {
  await delay(300);
  collectGarbage();
  const heap = process.memoryUsage().heapUsed / 2 ** 20;
  return { rss: rssMb(), heap, handles: process.getActiveResourcesInfo().length };
}

async function repeat({ callers, ask, check }: Load<Row | undefined>, calls: number): Promise<void> {
  let left = calls;
  const caller = async (number: number): Promise<void> => {
    while (left-- > 0) check(await ask(number), number);
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
}
