import { ITEM_BY_KEY, ITEM_COUNT } from "../datasets.ts";
import type { Eventually, Row, Session } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { nextKey, type Questions, timeCalls } from "./point-read.ts";

const SIZE = 64;

export const batches: Trial = {
  name: "batch-64",
  title: "Point reads, batches of 64 by Promise.all",
  description:
    "64 point reads are called at once, and the next 64 when all are answered; calls/s counts reads, p50 and p99 are of a batch.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: SIZE },
  needs: ["get"],
  alsoDrivers: ["sqlite3-pooled"],
  columns: ["opsPerSecond", "p50Us", "p99Us", "stallMs", "stallP99Ms", "cpuUsPerCall", "peakRssMb"],
  async run(context) {
    const metrics = await timeCalls(context, 1, readInBatches);
    return {
      ...metrics,
      opsPerSecond: (metrics["opsPerSecond"] ?? 0) * SIZE,
      cpuUsPerCall: (metrics["cpuUsPerCall"] ?? 0) / SIZE,
    };
  },
};

function readInBatches(session: Session): Questions<readonly (Row | undefined)[]> {
  let key = 0;
  const asked = new Int32Array(SIZE);
  return {
    ask: () => {
      const answers = Array.from(asked, (_, at): Eventually<Row | undefined> => {
        asked[at] = key = nextKey(key % ITEM_COUNT);
        return session.get(ITEM_BY_KEY, [key + 1]);
      });
      return answers.some((answer) => answer instanceof Promise)
        ? Promise.all(answers as Promise<Row | undefined>[])
        : (answers as (Row | undefined)[]);
    },
    check: (rows) => {
      rows.forEach((row, at) => {
        if (row?.["id"] !== (asked[at] ?? 0) + 1)
          throw new Error(`read ${at} of a batch was given another row`);
      });
    },
  };
}
