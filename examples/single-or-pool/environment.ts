import { availableParallelism, cpus, type } from "node:os";
import { sqliteVersion } from "@sqlite-aio/core";

/** Describes the machine of a run. */
export function environment(): string {
  const cpu = cpus()[0]?.model.trim() ?? "unknown CPU";
  const day = new Date().toISOString().slice(0, 10);
  return [
    `${availableParallelism()} cores (${cpu})`,
    `${type()} ${process.arch}`,
    `Node ${process.versions.node}`,
    `SQLite ${sqliteVersion}`,
    day,
  ].join(", ");
}
