import { datasetFile } from "../datasets.ts";
import type { Series } from "./series.ts";
import { powersOfTen, timed } from "./sizes.ts";

export const statementSeries: Series = {
  name: "statements",
  title: "Distinct statements, each run once",
  description:
    "Reads by key whose texts differ in a literal, each run once, one after the other; for better-sqlite3 all prepared statements are kept.",
  counts: "statements",
  unit: "statement",
  sizes: powersOfTen(10, 100_000),
  quick: 10_000,
  async measure({ driver, size }) {
    const session = await driver.open(datasetFile("items"), { synchronous: "FULL", callers: 1 });
    await session.get("select 1 as one", []);
    const metrics = await timed(size, async () => {
      for (let at = 0; at < size; at++) {
        const row = await session.get(`select id, ${at} as number from items where id = ?`, [1]);
        if (row?.["number"] !== at) throw new Error(`statement ${at} was answered wrongly`);
      }
    });
    await session.close();
    return metrics;
  },
};
