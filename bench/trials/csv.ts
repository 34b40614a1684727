import { createHash } from "node:crypto";
import { createReadStream, existsSync, renameSync, rmSync } from "node:fs";
import { CsvFile, readCsv } from "../csv.ts";
import { datasetFile, ORDER_COLUMNS, ORDER_COUNT, orders } from "../datasets.ts";
import type { Row } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { timeBulk } from "./bulk.ts";

const DRIVERS = ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3", "node:sqlite", "sqlite3"];
const COLUMNS = ["wallMs", "peakRssMb", "stallMs", "stallP99Ms", "cpuSeconds"];
const NAMES = ORDER_COLUMNS.split(", ");
const NUMERIC = new Set(["id", "amount", "quantity"].map((name) => NAMES.indexOf(name)));

export const csvFiles: readonly Trial[] = [
  {
    name: "import",
    title: "Import 1,000,000 rows from a CSV file",
    description:
      "A generator reads the file and yields six values per row, which are inserted in one transaction by `executemany` or the driver's loop; the rows are counted afterwards. The process does this once and nothing else.",
    dataset: "scratch",
    writes: true,
    settings: { synchronous: "FULL", callers: 1 },
    needs: ["insertMany", "get"],
    // sqlite3 needs a call per row, and would keep a million of them waiting.
    drivers: DRIVERS.filter((name) => name !== "sqlite3"),
    maxRounds: 2,
    columns: COLUMNS,
    async run({ open }) {
      const file = ordersFile();
      const session = await open();
      const metrics = await timeBulk({
        repeats: 1,
        warmUp: false,
        work: async (number) => {
          const insert = `insert into batch_${number} (${ORDER_COLUMNS}) values (?, ?, ?, ?, ?, ?)`;
          await session.insertMany?.(insert, readCsv(file, NUMERIC));
        },
      });
      const { stored, note } =
        (await session.get("select count(*) as stored, max(note) as note from batch_0", [])) ?? {};
      if (stored !== ORDER_COUNT || typeof note !== "string")
        throw new Error(`${String(stored)} rows stored`);
      return metrics;
    },
  },
  {
    name: "export",
    title: "Export 1,000,000 rows to a CSV file",
    description:
      "Six columns of 1,000,000 rows, iterated and written 64 KB at a time; the file's hash is compared afterwards. The process does this once and nothing else.",
    dataset: "orders",
    writes: false,
    settings: { synchronous: "FULL", callers: 1 },
    needs: ["iterate"],
    drivers: DRIVERS,
    maxRounds: 2,
    columns: COLUMNS,
    async run({ open }) {
      const file = `${datasetFile("orders")}-${process.pid}.csv`;
      const session = await open();
      try {
        const metrics = await timeBulk({
          repeats: 1,
          warmUp: false,
          work: async () => {
            const output = new CsvFile(file);
            await session.iterate?.(`select ${ORDER_COLUMNS} from orders`, (row) => output.add(row));
            output.close();
          },
        });
        if ((await hash(file)) !== (await hash(ordersFile()))) throw new Error("other rows were exported");
        return metrics;
      } finally {
        rmSync(file, { force: true });
      }
    },
  },
];

/** The file with all orders, written once. */
function ordersFile(): string {
  const file = `${datasetFile("orders")}.csv`;
  if (existsSync(file)) return file;
  const output = new CsvFile(`${file}.unfinished`);
  for (const values of orders(ORDER_COUNT))
    output.add(Object.fromEntries(NAMES.map((name, at) => [name, values[at] ?? null])) as Row);
  output.close();
  renameSync(`${file}.unfinished`, file);
  return file;
}

async function hash(file: string): Promise<string> {
  const sum = createHash("sha1");
  for await (const chunk of createReadStream(file)) sum.update(chunk as Buffer);
  return sum.digest("hex");
}
