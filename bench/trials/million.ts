import { setTimeout as delay } from "node:timers/promises";
import type { Load } from "../callers.ts";
import type { Row } from "../driver.ts";
import { rssMb } from "../measure.ts";
import type { Trial } from "../trial.ts";
import { readByKey } from "./point-read.ts";

const CALLERS = 64;
const EARLY = 200_000;
const LATE = 1_000_000;

export const million: Trial = {
  name: "million",
  title: "A million calls",
  description:
    "1,000,000 point reads, 64 in flight: resident memory and live handles after 200,000 and after all of them.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: CALLERS },
  needs: ["get"],
  drivers: ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3"],
  maxRounds: 1,
  columns: ["rssGrowthMb", "rssEarlyMb", "rssLateMb", "handlesGrowth"],
  async run({ open, driver }) {
    const load = { callers: CALLERS, blocks: driver.blocks, ...readByKey(await open(), CALLERS) };
    await repeat(load, EARLY);
    const early = await footprint();
    await repeat(load, LATE - EARLY);
    const late = await footprint();
    return {
      rssGrowthMb: late.rss - early.rss,
      rssEarlyMb: early.rss,
      rssLateMb: late.rss,
      handlesGrowth: late.handles - early.handles,
    };
  },
};

async function footprint(): Promise<{ rss: number; handles: number }> {
  await delay(300);
  return { rss: rssMb(), handles: process.getActiveResourcesInfo().length };
}

async function repeat({ callers, ask, check }: Load<Row | undefined>, calls: number): Promise<void> {
  let left = calls;
  const caller = async (number: number): Promise<void> => {
    while (left-- > 0) check(await ask(number), number);
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
}
