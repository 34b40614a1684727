import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { drive, Latencies, type Load } from "../callers.ts";
import { datasetFile } from "../datasets.ts";
import type { Row, Tenants } from "../driver.ts";
import { costOf, stallsOf } from "../measure.ts";
import type { Trial } from "../trial.ts";

const OPEN = 64;
const CALLERS = 16;
/** One in this many calls writes. */
const WRITES = 5;

const INSERT = "insert into log (name, price, stock) values (?, ?, ?)";
const COUNT = "select count(*) as n from log";

export const tenants: Trial = {
  name: "tenants",
  title: "Many databases",
  description:
    "10,000 databases (quick: 300), chosen by Zipf's law, 16 callers, one call in 5 an insert and the others a count, at most 64 databases open; better-sqlite3 opens and closes one for each call.",
  dataset: "scratch",
  writes: false,
  settings: { synchronous: "NORMAL", callers: CALLERS },
  needs: ["get"],
  drivers: ["sqlite-aio-pool", "better-sqlite3"],
  maxRounds: 2,
  columns: ["opsPerSecond", "p50Us", "p99Us", "stallMs", "stallP99Ms", "threads", "peakRssMb"],
  async run({ driver, file, effort }) {
    const folder = `${file}-tenants-${process.pid}`;
    mkdirSync(folder);
    try {
      for (let key = 0; key < effort.databases; key++)
        copyFileSync(datasetFile("scratch"), `${folder}/${key}.db`);
      const many = await driver.openMany!((key) => `${folder}/${key}.db`, this.settings, OPEN);
      const { load, threads } = loadOf(many, driver.blocks, effort.databases);
      // Opens as many as may be open, so that the threads are started before anything is timed.
      for (let key = 0; key < OPEN; key++) await many.ask(key, null, COUNT);
      await drive(load, effort.warmUpMs);
      const latencies = new Latencies();
      let cost = { wallMs: 0, cpuMs: 0 };
      const stalls = await stallsOf({
        timed: async () => {
          cost = await costOf(async () => void (await drive(load, effort.timedMs * 2, latencies)));
        },
        again: async () => void (await drive(load, effort.turnsMs)),
      });
      await many.close();
      const [p50 = 0, p99 = 0] = latencies.quantiles(0.5, 0.99);
      return {
        ...stalls,
        opsPerSecond: latencies.count / (cost.wallMs / 1000),
        p50Us: p50 * 1000,
        p99Us: p99 * 1000,
        cpuUsPerCall: (cost.cpuMs * 1000) / latencies.count,
        threads: threads(),
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function loadOf(
  many: Tenants,
  blocks: boolean,
  databases: number,
): { readonly load: Load<Row | undefined>; readonly threads: () => number } {
  const choose = zipf(databases);
  const asked = new Int32Array(CALLERS);
  let calls = 0;
  let threads = 0;
  const load: Load<Row | undefined> = {
    callers: CALLERS,
    blocks,
    ask: (caller) => {
      asked[caller] = choose();
      if (++calls % 64 === 0) threads = Math.max(threads, threadsNow());
      return many.ask(asked[caller], calls % WRITES === 0 ? INSERT : null, COUNT);
    },
    check: (row, caller) => {
      if (typeof row?.["n"] !== "number") throw new Error(`database ${asked[caller]} gave no count`);
    },
  };
  return { load, threads: () => threads };
}

function threadsNow(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/task").length : Number.NaN;
}

/** Numbers below `count`; the n-th has a probability proportional to 1 / n. The same numbers each time. */
function zipf(count: number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let n = 0; n < count; n++) sums[n] = sum += 1 / (n + 1);
  let state = 20_240_229;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    const wanted = (state / 2_147_483_647) * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
