import { datasetFile, ORDER_COLUMNS, ORDER_COUNT, orders } from "../datasets.ts";
import type { Series } from "./series.ts";
import { powersOfTen, timed } from "./sizes.ts";

const SETTINGS = { synchronous: "FULL", callers: 1 } as const;
const COPIES = "(values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))";
const common = {
  counts: "rows",
  unit: "row",
  sizes: powersOfTen(1_000, 10_000_000),
  quick: 100_000,
  // Ten million rows as objects exceed V8's default heap.
  nodeOptions: ["--max-old-space-size=12000"],
};

/** Selects the orders, ten times over for the largest size. */
function select(size: number): string {
  const from = size > ORDER_COUNT ? `${COPIES} cross join orders` : "orders";
  return `select ${ORDER_COLUMNS} from ${from} limit ${size}`;
}

export const rowSeries: readonly Series[] = [
  {
    ...common,
    name: "all",
    title: "all: rows of six columns as objects",
    description: "Six columns per row, in one array of objects, the first time in the process.",
    async measure({ driver, size }) {
      const session = await driver.open(datasetFile("orders"), SETTINGS);
      await session.get("select 1 as one", []);
      const metrics = await timed(size, async () => {
        const rows = (await session.all?.(select(size), [])) ?? [];
        if (rows.length !== size) throw new Error(`${rows.length} rows instead of ${size}`);
      });
      await session.close();
      return metrics;
    },
  },
  {
    ...common,
    name: "iterate",
    title: "iterate: rows of six columns, one at a time",
    description: "The same rows, one at a time, without keeping any.",
    async measure({ driver, size }) {
      const session = await driver.open(datasetFile("orders"), SETTINGS);
      await session.get("select 1 as one", []);
      let seen = 0;
      const metrics = await timed(size, async () => {
        await session.iterate?.(select(size), () => {
          seen++;
        });
      });
      if (seen !== size) throw new Error(`${seen} rows instead of ${size}`);
      await session.close();
      return metrics;
    },
  },
  {
    ...common,
    name: "executemany",
    title: "executemany: rows of six columns from a generator",
    description: "Rows from a generator into an empty table with an INTEGER PRIMARY KEY, in one transaction.",
    async measure({ driver, folder, size }) {
      const session = await driver.open(`${folder}/rows.db`, SETTINGS);
      await session.run?.(
        "create table orders (id integer primary key, customer text, city text, amount real, quantity integer, note text)",
        [],
      );
      const metrics = await timed(size, async () => {
        await session.insertMany?.("insert into orders values (?, ?, ?, ?, ?, ?)", orders(size));
      });
      const stored = (await session.get("select count(*) as stored from orders", []))?.["stored"];
      if (stored !== size) throw new Error(`${String(stored)} rows stored of ${size}`);
      await session.close();
      return metrics;
    },
  },
];
