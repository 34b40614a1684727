import { BATCH_TABLES, ORDER_COLUMNS, orders } from "../datasets.ts";
import type { Trial } from "../trial.ts";
import { BULK_COLUMNS, timeBulk } from "./bulk.ts";

const COUNT = 100_000;
/**
 * With one round trip per row these drivers would take most of the run. They get a part of the rows, and their time is
 * multiplied.
 */
const PARTS: Readonly<Record<string, number>> = { "better-sqlite3-pool": 20, sqlite3: 5 };

export const transaction: Trial = {
  name: "transaction",
  title: "100,000 rows in one transaction",
  description:
    "Six values per row, from an array in memory, into an empty table. better-sqlite3-pool and sqlite3 need a round trip per row; they get 5,000 and 20,000 rows, and their time is multiplied (their stalls are not).",
  dataset: "scratch",
  writes: true,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["insertMany", "get"],
  columns: BULK_COLUMNS,
  async run({ open, effort, driver }) {
    const session = await open();
    const parts = PARTS[driver.name] ?? 1;
    const rows = [...orders(COUNT / parts)];
    const metrics = await timeBulk({
      repeats: effort.repeats,
      // Leaves half of the empty tables for the timed calls and for the second recorder.
      warmUpMs: effort.warmUpMs,
      most: BATCH_TABLES / 2,
      work: async (number) => {
        const insert = `insert into batch_${number} (${ORDER_COLUMNS}) values (?, ?, ?, ?, ?, ?)`;
        await session.insertMany?.(insert, rows);
      },
    });
    const stored = (await session.get("select count(*) as inserted from batch_0", []))?.["inserted"];
    if (stored !== rows.length) throw new Error(`${String(stored)} rows stored instead of ${rows.length}`);
    return {
      ...metrics,
      wallMs: (metrics["wallMs"] ?? 0) * parts,
      cpuSeconds: (metrics["cpuSeconds"] ?? 0) * parts,
    };
  },
};
