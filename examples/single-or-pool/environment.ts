import { availableParallelism, cpus, loadavg, type } from "node:os";
import { sqliteVersion } from "@sqlite-aio/core";

/** Where a run took place; to be asked before the run, for the load that is not its own. */
export function environment(): string {
  const cpu = cpus()[0]?.model.trim() ?? "unknown CPU";
  const load = (loadavg()[0] ?? 0).toFixed(1);
  const day = new Date().toISOString().slice(0, 10);
  return [
    `${availableParallelism()} cores (${cpu})`,
    `${type()} ${process.arch}`,
    `Node ${process.versions.node}`,
    `SQLite ${sqliteVersion}`,
    `${load} other processes running in the minute before`,
    day,
  ].join(", ");
}
