import type { Parameters } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { BULK_COLUMNS, timeBulk } from "./bulk.ts";
import { timeLoad } from "./point-read.ts";

const DRIVERS = ["sqlite-aio-sqlite3", "sqlite3"];
const INSERT = "insert into log (name, price, stock) values (?, ?, ?)";
const COUNT = "select count(*) as inserted from log";
const RUNS = 5_000;

/** Trials only for the sqlite3 package: calls that its programs make and that the common trials do not cover. */
export const nodeSqlite3: readonly Trial[] = [
  {
    name: "runs",
    title: "5,000 runs without a callback",
    description:
      "`db.serialize()` with 5,000 calls of `db.run()`, only the last with a callback, synchronous=NORMAL; each is an insert with its own commit; the rows are counted afterwards.",
    dataset: "scratch",
    writes: true,
    settings: { synchronous: "NORMAL", callers: 64 },
    needs: ["runAll", "get"],
    drivers: DRIVERS,
    maxRounds: 3,
    columns: BULK_COLUMNS,
    async run({ open, effort }) {
      const session = await open();
      const rows = Array.from({ length: RUNS }, (_, at): Parameters => [`row ${at}`, at / 2, at]);
      let calls = 0;
      const metrics = await timeBulk({
        repeats: effort.repeats,
        work: async () => {
          await session.runAll?.(INSERT, rows);
          calls += RUNS;
        },
      });
      const stored = (await session.get(COUNT, []))?.["inserted"];
      if (stored !== calls) throw new Error(`${String(stored)} rows stored of ${calls}`);
      return metrics;
    },
  },
  {
    name: "sequelize",
    title: "A transaction on a connection of its own",
    description:
      "As Sequelize runs each of its transactions: open, pragmas, BEGIN DEFERRED, an insert, a select, an update, COMMIT, close; one after the other, synchronous=NORMAL.",
    dataset: "scratch",
    writes: true,
    settings: { synchronous: "NORMAL", callers: 64 },
    needs: ["run", "get"],
    drivers: DRIVERS,
    maxRounds: 3,
    columns: ["opsPerSecond", "p50Us", "p99Us", "stallMs", "stallP99Ms", "cpuUsPerCall", "peakRssMb"],
    async run({ driver, file, effort }) {
      const transaction = async (): Promise<void> => {
        const session = await driver.open(file, this.settings);
        await session.run?.("begin deferred transaction", []);
        await session.run?.(INSERT, ["a row of its own", 12.5, 7]);
        const row = await session.get("select max(id) as id from log", []);
        await session.run?.("update log set stock = stock + 1 where id = ?", [Number(row?.["id"])]);
        await session.run?.("commit", []);
        await session.close();
      };
      return await timeLoad(effort, { callers: 1, blocks: false, ask: transaction, check: () => {} });
    },
  },
];
