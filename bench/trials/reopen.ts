import { ITEM_BY_KEY } from "../datasets.ts";
import { Latencies } from "../callers.ts";
import { rssMb } from "../measure.ts";
import type { Trial } from "../trial.ts";

export const reopening: Trial = {
  name: "reopen",
  title: "Opening, one query and closing, repeated",
  description:
    "Connections are opened, read one row by its key and are closed, one after the other, as in a test suite or a program with a connection per request.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["get"],
  alsoDrivers: ["bare-worker"],
  columns: ["reopenMs", "reopenP99Ms", "firstOpenMs", "rssGrowthMb"],
  async run({ driver, file, effort }) {
    const reopen = async (): Promise<number> => {
      const start = performance.now();
      const session = await driver.open(file, this.settings);
      const row = await session.get(ITEM_BY_KEY, [1]);
      await session.close();
      if (row?.["id"] !== 1) throw new Error("another row than the one that was asked for");
      return performance.now() - start;
    };
    const firstOpenMs = await reopen();
    const until = async (ms: number, latencies: Latencies): Promise<void> => {
      const deadline = performance.now() + ms;
      while (performance.now() < deadline) latencies.add(await reopen());
    };
    await until(effort.warmUpMs, new Latencies());
    const before = rssMb();
    const latencies = new Latencies();
    await until(effort.timedMs, latencies);
    const [reopenMs = 0, reopenP99Ms = 0] = latencies.quantiles(0.5, 0.99);
    return { reopenMs, reopenP99Ms, firstOpenMs, rssGrowthMb: rssMb() - before, opens: latencies.count };
  },
};
