import type { Driver, Session } from "../driver.ts";
import type { Series } from "./series.ts";
import { powersOfTen, timed } from "./sizes.ts";

const ROWS = 2_000;
const BYTES = 10_000_000;
const REPEATS = 3;

export const shapeSeries: readonly Series[] = [
  {
    name: "columns",
    title: "Columns of a result",
    description: `${ROWS.toLocaleString("en-US")} rows as objects, a third of the columns are texts; the third time in the process.`,
    counts: "columns",
    unit: "value",
    sizes: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    quick: 500,
    reason:
      "Up to 20 columns the row costs more than its values; from 100 on a value costs more again, in better-sqlite3 too.",
    async measure({ driver, folder, size }) {
      const columns = Array.from({ length: size }, (_, at) =>
        at % 3 === 2 ? `'text ' || (n % 50) as c${at}` : `n + ${at} as c${at}`,
      );
      const session = await filled(
        driver,
        folder,
        `create table wide as with recursive i(n) as (select 1 union all select n + 1 from i limit ${ROWS}) select ${columns.join(", ")} from i`,
      );
      return await thirdTime(session, "select * from wide", ROWS * size, ROWS);
    },
  },
  {
    name: "texts",
    title: "Length of a text",
    description:
      "Texts of this length, 10 MB in all, but at most 10,000 texts and at least one; the third time in the process.",
    counts: "bytes",
    unit: "KB",
    sizes: powersOfTen(10, 10_000_000),
    quick: 10_000_000,
    reason:
      "Below 1 KB the row costs more than its text. Above 10 KB the system must map new memory for each text, in better-sqlite3 too, and here once more for the transfer.",
    async measure({ driver, folder, size }) {
      const count = Math.max(1, Math.min(10_000, BYTES / size));
      const session = await filled(
        driver,
        folder,
        `create table long as with recursive i(n) as (select 1 union all select n + 1 from i limit ${count}) select substr(printf('%08d', n) || replace(printf('%.*c', ${size}, 'x'), 'x', 'y'), 1, ${size}) as body from i`,
      );
      return await thirdTime(session, "select body from long", (count * size) / 1_000, count);
    },
  },
];

async function filled(driver: Driver, folder: string, create: string): Promise<Session> {
  const session = await driver.open(`${folder}/shapes.db`, { synchronous: "NORMAL", callers: 1 });
  await session.run?.(create, []);
  return session;
}

async function thirdTime(session: Session, sql: string, units: number, count: number) {
  let metrics = await timed(units, async () => {});
  for (let time = 0; time < REPEATS; time++) {
    globalThis.gc?.();
    metrics = await timed(units, async () => {
      const rows = (await session.all?.(sql, [])) ?? [];
      if (rows.length !== count) throw new Error(`${rows.length} rows instead of ${count}`);
    });
  }
  await session.close();
  return metrics;
}
