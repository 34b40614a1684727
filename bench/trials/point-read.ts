import { drive, Latencies, type Load } from "../callers.ts";
import { ITEM_BY_KEY, ITEM_COUNT } from "../datasets.ts";
import type { Row, Session } from "../driver.ts";
import { costOf, type Effort, type Metrics, stallsOf } from "../measure.ts";
import type { Trial, TrialContext } from "../trial.ts";

const WHO: Readonly<Record<number, string>> = { 1: "one caller", 64: "64 in flight", 512: "512 in flight" };

export const pointReads: readonly Trial[] = [1, 64, 512].map((callers) => ({
  name: `point-${callers}`,
  title: `Point read, ${WHO[callers]}`,
  description:
    "`select id, name, price, stock from items where id = ?`, 100,000 rows, keys at random; every answer is checked.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers },
  needs: ["get"],
  alsoDrivers: ["frames-without-comlink", "sqlite3-pooled", "sqlite-aio-sqlite3"],
  columns: [
    "opsPerSecond",
    "p50Us",
    "p99Us",
    "stallMs",
    "stallP99Ms",
    "cpuUsPerCall",
    "cpuSeconds",
    "peakRssMb",
  ],
  run: (context) => timeCalls(context, callers, (session) => readByKey(session, callers)),
}));

/** The part of a load that differs between trials. */
export type Questions<Answer> = Pick<Load<Answer>, "ask" | "check">;

export function readByKey(session: Session, callers: number): Questions<Row | undefined> {
  const keys = Int32Array.from({ length: callers }, (_, caller) => (caller * 7_919) % ITEM_COUNT);
  return {
    ask: (caller) => {
      const key = nextKey(keys[caller] ?? 0);
      keys[caller] = key;
      return session.get(ITEM_BY_KEY, [key + 1]);
    },
    check: (row, caller) => {
      if (row?.["id"] !== (keys[caller] ?? 0) + 1) throw new Error(`caller ${caller} was given another row`);
    },
  };
}

/** Visits every key once before any key is repeated, in an order that no cache can predict. */
export function nextKey(key: number): number {
  return (key * 16_821 + 12_347) % ITEM_COUNT;
}

/** Times each call, and the loop's stalls while the calls run. */
export async function timeCalls<Answer>(
  { driver, effort, open }: TrialContext,
  callers: number,
  questions: (session: Session) => Questions<Answer>,
): Promise<Metrics> {
  return await timeLoad(effort, { callers, blocks: driver.blocks, ...questions(await open()) });
}

export async function timeLoad<Answer>(effort: Effort, load: Load<Answer>): Promise<Metrics> {
  await drive(load, effort.warmUpMs);
  const latencies = new Latencies();
  let cost = { wallMs: 0, cpuMs: 0 };
  const stalls = await stallsOf({
    timed: async () => {
      cost = await costOf(async () => {
        await drive(load, effort.timedMs, latencies);
      });
    },
    again: async () => {
      await drive(load, effort.turnsMs);
    },
  });
  const [p50 = 0, p99 = 0] = latencies.quantiles(0.5, 0.99);
  return {
    ...stalls,
    calls: latencies.count,
    opsPerSecond: latencies.count / (cost.wallMs / 1_000),
    p50Us: p50 * 1_000,
    p99Us: p99 * 1_000,
    cpuSeconds: cost.cpuMs / 1_000,
    cpuUsPerCall: (cost.cpuMs * 1_000) / latencies.count,
  };
}
