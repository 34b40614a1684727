import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly date: string;
  /** Load average of the minute before the run, without this process. */
  readonly loadBefore: number;
}

export function environment(): Environment {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString(),
    loadBefore: loadavg()[0] ?? 0,
  };
}
