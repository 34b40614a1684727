import type { Trial } from "../trial.ts";
import { BULK_COLUMNS, timeBulk } from "./bulk.ts";

const SQL =
  "select city, count(*) as orders, sum(amount) as revenue, avg(quantity) as mean from orders group by city";
const CITIES = 200;

export const aggregate: Trial = {
  name: "aggregate",
  title: "Aggregate over 1,000,000 rows",
  description: "`count`, `sum` and `avg` grouped into 200 cities: all engine, hardly any rows.",
  dataset: "orders",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["all", "get"],
  maxRounds: 2,
  columns: BULK_COLUMNS,
  async run({ open }) {
    const session = await open();
    await session.get("select count(*) as orders from orders", []);
    const work = async (): Promise<void> => {
      const rows = (await session.all?.(SQL, [])) ?? [];
      if (rows.length !== CITIES) throw new Error(`${rows.length} groups instead of ${CITIES}`);
    };
    return timeBulk({ work, repeats: 1, warmUp: false });
  },
};
