import { drive } from "../callers.ts";
import { datasetFile } from "../datasets.ts";
import { readByKey } from "../trials/point-read.ts";
import type { Series } from "./series.ts";
import { timed } from "./sizes.ts";

const WARM_UP_MS = 500;
const TIMED_MS = 700;

export const callerSeries: Series = {
  name: "callers",
  title: "Point reads by the number of callers",
  description: `Reads by key of 100,000 rows for ${TIMED_MS} ms, each caller asking again as soon as it is answered; a blocking driver answers them one after the other.`,
  counts: "callers",
  unit: "read",
  sizes: [1, 4, 16, 64, 256, 1_024, 4_096],
  quick: 4_096,
  reason:
    "A single caller waits for a message each way with each read; several callers share these messages. So the cost falls until both sides are always busy.",
  async measure({ driver, size }) {
    const session = await driver.open(datasetFile("items"), { synchronous: "FULL", callers: size });
    const load = { callers: size, blocks: driver.blocks, ...readByKey(session, size) };
    await drive(load, WARM_UP_MS);
    let calls = 1;
    const metrics = await timed(1, async () => {
      calls = (await drive(load, TIMED_MS)).count;
    });
    await session.close();
    return { ...metrics, unitUs: metrics.unitUs / calls };
  },
};
