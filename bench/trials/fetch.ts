import { ORDER_COLUMNS } from "../datasets.ts";
import type { Row } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { BULK_COLUMNS, timeBulk } from "./bulk.ts";

const COUNT = 100_000;
const SQL = `select ${ORDER_COLUMNS} from orders where id <= ?`;

export const fetch: Trial = {
  name: "fetch",
  title: "100,000 rows as objects",
  description: "Six columns (integers, reals, texts, some NULL) of 100,000 rows in one array of objects.",
  dataset: "orders",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["all"],
  alsoDrivers: ["sqlite-aio-sqlite3"],
  columns: BULK_COLUMNS,
  async run({ open, effort }) {
    const session = await open();
    let rows: readonly Row[] = [];
    const metrics = await timeBulk({
      repeats: effort.repeats,
      warmUpMs: effort.warmUpMs,
      reset: () => {
        rows = [];
      },
      work: async () => {
        rows = (await session.all?.(SQL, [COUNT])) ?? [];
      },
    });
    verify(rows);
    return metrics;
  },
};

/** Reads every value after the clocks have stopped, so that a driver gains nothing by postponing work. */
function verify(rows: readonly Row[]): void {
  if (rows.length !== COUNT) throw new Error(`${rows.length} rows instead of ${COUNT}`);
  rows.forEach((row, index) => {
    const { id, customer, city, amount, quantity, note } = row;
    const right =
      id === index + 1 &&
      typeof customer === "string" &&
      typeof city === "string" &&
      typeof amount === "number" &&
      typeof quantity === "number" &&
      (note === null || typeof note === "string");
    if (!right) throw new Error(`row ${index} is not as it was stored: ${JSON.stringify(row)}`);
  });
}
