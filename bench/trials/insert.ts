import type { Session, Settings } from "../driver.ts";
import type { Trial, TrialContext } from "../trial.ts";
import { type Questions, timeCalls } from "./point-read.ts";

const SQL = "insert into log (name, price, stock) values (?, ?, ?)";
const COUNT = "select count(*) as inserted from log";
/** One commit per call costs nearly the same in every driver. These drivers show it without taking minutes. */
const SEQUENTIAL = ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3", "comlink"];

export const inserts: readonly Trial[] = [
  insert(64, "FULL"),
  insert(64, "NORMAL"),
  insert(1, "FULL"),
  insert(1, "NORMAL"),
];

function insert(callers: number, synchronous: Settings["synchronous"]): Trial {
  return {
    name: `insert-${synchronous.toLowerCase()}-${callers}`,
    title: `Insert one by one, synchronous=${synchronous}, ${callers === 1 ? "one commit per call" : "64 in flight"}`,
    description: `Single-row inserts, each committed before its caller is answered${callers === 1 ? ", one caller" : ""}; the rows are counted afterwards.`,
    dataset: "scratch",
    writes: true,
    settings: { synchronous, callers },
    needs: ["run", "get"],
    ...(callers === 1 && { drivers: SEQUENTIAL }),
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
    run: (context) => countedInserts(context, callers),
  };
}

async function countedInserts(context: TrialContext, callers: number) {
  let acknowledged = 0;
  let session: Session | undefined;
  const metrics = await timeCalls(context, callers, (opened): Questions<unknown> => {
    session = opened;
    return {
      ask: () => opened.run?.(SQL, ["a row of its own", 12.5, 7]),
      check: () => {
        acknowledged++;
      },
    };
  });
  const stored = (await session?.get(COUNT, []))?.["inserted"];
  if (stored !== acknowledged)
    throw new Error(`${acknowledged} inserts answered, ${String(stored)} rows stored`);
  return metrics;
}
