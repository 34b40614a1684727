import { medianOf, type Results } from "./results.ts";

/** A bound on a figure of sqlite-aio: on its ratio to another driver's in the same run, or on the figure itself. */
export interface Aim {
  readonly subject: string;
  readonly trial: string;
  readonly metric: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly against?: Reference;
  readonly unit?: string;
  /** Where the bound is meant for one of the two ways to use the library. */
  readonly only?: (typeof OURS)[number];
}

interface Reference {
  readonly driver: string;
  /** Where it is another trial's figure that counts. */
  readonly trial?: string;
}

export interface Verdict {
  readonly aim: Aim;
  readonly figures: readonly {
    readonly driver: string;
    readonly value: number | undefined;
    readonly met: boolean;
  }[];
}

export const OURS = ["sqlite-aio-connection", "sqlite-aio-pool"] as const;

const speed = { metric: "opsPerSecond" };
const wall = { metric: "wallMs" };
const stall = { metric: "stallMs" };
const engine = { against: { driver: "better-sqlite3" } };
const point1 = { subject: "Point read, one caller", trial: "point-1", ...speed };
const point64 = { subject: "Point read, 64 in flight", trial: "point-64", ...speed };
const point512 = { subject: "Point read, 512 in flight", trial: "point-512", ...speed };
const fetched = { subject: "100,000 rows as objects", trial: "fetch" };
const iterated = { subject: "Iterate 1,000,000 rows", trial: "iterate" };
const batch = { subject: "100,000 rows in one transaction", trial: "transaction" };
const million = { subject: "A million calls", trial: "million" };

export const AIMS: readonly Aim[] = [
  { ...point1, atLeast: 0.25, ...engine },
  { ...point1, atLeast: 12, against: { driver: "comlink" } },
  { ...point64, atLeast: 1.5, ...engine },
  { ...point512, atLeast: 1.3, ...engine },
  { ...fetched, ...wall, atMost: 0.6, ...engine },
  { ...fetched, ...stall, atMost: 0.1, ...engine },
  { ...iterated, ...wall, atMost: 0.5, ...engine, only: "sqlite-aio-pool" },
  { ...iterated, ...wall, atMost: 0.8, ...engine, only: "sqlite-aio-connection" },
  { ...iterated, ...stall, atMost: 5, unit: "ms" },
  { ...iterated, metric: "heapGrowthMb", atMost: 5, unit: "MB" },
  {
    subject: "Durable inserts, 64 in flight",
    trial: "insert-full-64",
    ...speed,
    atLeast: 25,
    against: { driver: "better-sqlite3", trial: "insert-full-1" },
  },
  { ...batch, ...wall, atMost: 0.6, ...engine },
  { ...batch, ...stall, atMost: 0.1, ...engine },
  { subject: "Mixed, 64 callers", trial: "mixed", metric: "stallP99Ms", atMost: 2, unit: "ms" },
  { subject: "Idle connection", trial: "idle", metric: "idleCpuPerSecondMs", atMost: 0.5, unit: "ms/s" },
  {
    subject: "Opening a connection",
    trial: "open",
    metric: "openMs",
    only: "sqlite-aio-connection",
    atMost: 1.5,
    against: { driver: "bare-worker" },
  },
  {
    subject: "Opening, asking and closing",
    trial: "reopen",
    metric: "reopenMs",
    only: "sqlite-aio-connection",
    atMost: 2,
    unit: "ms",
  },
  { ...million, metric: "rssGrowthMb", atMost: 5, unit: "MB" },
  { ...million, metric: "heapGrowthMb", atMost: 1, unit: "MB" },
  { ...million, metric: "handlesGrowth", atMost: 0, unit: "handles" },
];

/** The aims this run has figures for, a verdict for each of the two ways to use the library. */
export function judge(results: Results): readonly Verdict[] {
  return AIMS.map((aim) => ({ aim, figures: OURS.map((driver) => figure(results, aim, driver)) })).filter(
    ({ figures }) => figures.some(({ value }) => value !== undefined),
  );
}

function figure(results: Results, aim: Aim, driver: string): Verdict["figures"][number] {
  if (aim.only !== undefined && aim.only !== driver) return { driver, value: undefined, met: false };
  const own = medianOf(results, aim.trial, driver, aim.metric);
  const other =
    aim.against && medianOf(results, aim.against.trial ?? aim.trial, aim.against.driver, aim.metric);
  if (own === undefined || (aim.against && other === undefined))
    return { driver, value: undefined, met: false };
  const value = other === undefined ? own : own / other;
  return { driver, value, met: value >= (aim.atLeast ?? -Infinity) && value <= (aim.atMost ?? Infinity) };
}
