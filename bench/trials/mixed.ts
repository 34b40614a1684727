import type { Session } from "../driver.ts";
import type { Trial } from "../trial.ts";
import { nextKey, type Questions, readByKey, timeCalls } from "./point-read.ts";

const CALLERS = 64;
const UPDATE = "update items set stock = ? where id = ?";
const WRITE_EVERY = 10;

export const mixed: Trial = {
  name: "mixed",
  title: "Mixed: 90 reads to 10 writes, 64 callers",
  description:
    "Point reads and single-row updates, each committed, while a 1 ms ticker runs on the main loop: the ticker's delay is what other requests would notice.",
  dataset: "items",
  writes: true,
  settings: { synchronous: "FULL", callers: CALLERS },
  needs: ["get", "run"],
  columns: [
    "opsPerSecond",
    "stallP99Ms",
    "stallMs",
    "p50Us",
    "p99Us",
    "cpuUsPerCall",
    "cpuSeconds",
    "peakRssMb",
  ],
  run: (context) => timeCalls(context, CALLERS, readAndWrite),
};

function readAndWrite(session: Session): Questions<unknown> {
  const reads = readByKey(session, CALLERS);
  const asked = new Int32Array(CALLERS);
  const isWrite = (caller: number): boolean => ((asked[caller] ?? 0) + caller) % WRITE_EVERY === 0;
  return {
    ask: (caller) => {
      const count = (asked[caller] ?? 0) + 1;
      asked[caller] = count;
      if (!isWrite(caller)) return reads.ask(caller);
      return session.run?.(UPDATE, [count % 500, nextKey(count * CALLERS + caller) + 1]);
    },
    check: (answer, caller) => {
      if (!isWrite(caller)) reads.check(answer as Awaited<ReturnType<typeof reads.ask>>, caller);
    },
  };
}
