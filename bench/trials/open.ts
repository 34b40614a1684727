import { ITEM_BY_KEY } from "../datasets.ts";
import { rssMb } from "../measure.ts";
import { quantile, sorted } from "../statistics.ts";
import type { Trial } from "../trial.ts";

const CONNECTIONS = 8;

export const opening: Trial = {
  name: "open",
  title: "Opening a connection",
  description:
    "From the call to the answer of a first query, 8 times, with all connections left open; memory is what each added to the process. The bare Worker loads better-sqlite3 and opens the file.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["get"],
  alsoDrivers: ["bare-worker"],
  columns: ["openMs", "firstOpenMs", "rssPerConnectionMb"],
  async run({ open }) {
    const opens: number[] = [];
    const openOne = async (): Promise<void> => {
      const start = performance.now();
      const session = await open();
      await session.get(ITEM_BY_KEY, [1]);
      opens.push(performance.now() - start);
    };
    await openOne();
    const before = rssMb();
    while (opens.length < CONNECTIONS + 1) await openOne();
    const rssPerConnectionMb = (rssMb() - before) / CONNECTIONS;
    const [firstOpenMs = 0, ...rest] = opens;
    return { openMs: quantile(sorted(rest), 0.5), firstOpenMs, rssPerConnectionMb };
  },
};
