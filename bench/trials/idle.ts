import { setTimeout as delay } from "node:timers/promises";
import { ITEM_BY_KEY } from "../datasets.ts";
import { costOf, rssMb } from "../measure.ts";
import type { Trial } from "../trial.ts";

/** Until V8 has collected what opening and asking has left; it does so some seconds after a process has become quiet. */
const SETTLE_MS = 10_000;

export const idle: Trial = {
  name: "idle",
  title: "Idle connection",
  description:
    "One open connection that has answered one query and is then idle: processor time of the whole process.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["get"],
  drivers: ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3"],
  maxRounds: 1,
  columns: ["idleCpuMs", "idleSeconds", "idleCpuPerSecondMs", "rssMb"],
  async run({ open, effort }) {
    const session = await open();
    await session.get(ITEM_BY_KEY, [1]);
    await delay(SETTLE_MS);
    const { cpuMs } = await costOf(() => delay(effort.idleMs));
    const idleSeconds = effort.idleMs / 1_000;
    return { idleCpuMs: cpuMs, idleSeconds, idleCpuPerSecondMs: cpuMs / idleSeconds, rssMb: rssMb() };
  },
};
