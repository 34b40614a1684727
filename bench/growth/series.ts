import type { Driver } from "../driver.ts";
import type { Metrics } from "../measure.ts";
import { callerSeries } from "./callers.ts";
import { fileSeries } from "./files.ts";
import { rowSeries } from "./rows.ts";
import { shapeSeries } from "./shapes.ts";
import { statementSeries } from "./statements.ts";

export interface GrowthContext {
  readonly driver: Driver;
  /** A folder for this measurement, removed afterwards. */
  readonly folder: string;
  readonly size: number;
}

/** How a cost grows with a size. Each point of each driver is measured in a process of its own. */
export interface Series {
  readonly name: string;
  readonly title: string;
  /** One sentence that lets a reader repeat the measurement. */
  readonly description: string;
  /** What the sizes count. */
  readonly counts: string;
  /** The unit of the work: a row, a call. Its cost should be the same at each size. */
  readonly unit: string;
  readonly sizes: readonly number[];
  /** The largest size of a quick run. */
  readonly quick: number;
  /** Why the line is not straight, if that is known. */
  readonly reason?: string;
  readonly nodeOptions?: readonly string[];
  /** Returns `unitUs`, `peakRssMb` if memory matters, and `coldUs` for a file that is in no cache. */
  measure(context: GrowthContext): Promise<Metrics>;
}

export const GROWTH_DRIVERS = ["sqlite-aio-connection", "sqlite-aio-pool", "better-sqlite3"] as const;

export const SERIES: readonly Series[] = [
  ...rowSeries,
  callerSeries,
  statementSeries,
  ...shapeSeries,
  ...fileSeries,
];

export function seriesNamed(name: string): Series {
  const series = SERIES.find((candidate) => candidate.name === name);
  if (!series) throw new Error(`nothing that grows is called ${name}`);
  return series;
}
