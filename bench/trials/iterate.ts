import { getHeapStatistics } from "node:v8";
import { ORDER_COLUMNS, ORDER_COUNT } from "../datasets.ts";
import type { Session } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { timeBulk } from "./bulk.ts";

const SQL = `select ${ORDER_COLUMNS} from orders`;
const HEAP_SAMPLE_EVERY = 10_000;

export const iterate: Trial = {
  name: "iterate",
  title: "Iterate 1,000,000 rows",
  description:
    "Six columns of 1,000,000 rows, one at a time, summing one column; heap growth compares the highest heap in the second half with the first.",
  dataset: "orders",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["iterate"],
  alsoDrivers: ["sqlite-aio-sqlite3"],
  maxRounds: 2,
  columns: ["wallMs", "stallMs", "stallP99Ms", "heapGrowthMb", "cpuSeconds", "peakRssMb"],
  async run({ open, effort }) {
    const session = await open();
    const began = performance.now();
    do await session.iterate?.(`${SQL} where id <= 50000`, () => {});
    while (performance.now() - began < effort.warmUpMs);
    let heapGrowthMb = Number.POSITIVE_INFINITY;
    const once = async (): Promise<void> => {
      heapGrowthMb = Math.min(heapGrowthMb, await visitAll(session));
    };
    return { ...(await timeBulk({ work: once, repeats: 1, warmUp: false })), heapGrowthMb };
  },
};

async function visitAll(session: Session): Promise<number> {
  let seen = 0;
  let total = 0;
  const highest = [0, 0];
  await session.iterate?.(SQL, (row) => {
    total += row["amount"] as number;
    if (++seen % HEAP_SAMPLE_EVERY !== 0) return;
    const half = seen <= ORDER_COUNT / 2 ? 0 : 1;
    highest[half] = Math.max(highest[half] ?? 0, getHeapStatistics().used_heap_size);
  });
  if (seen !== ORDER_COUNT || !(total > 0)) throw new Error(`${seen} rows instead of ${ORDER_COUNT}`);
  return Math.max(0, ((highest[1] ?? 0) - (highest[0] ?? 0)) / 2 ** 20);
}
