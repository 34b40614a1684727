import { medianOf, type Results } from "./results.ts";

/**
 * A limit for a figure of sqlite-aio: for its ratio to another driver's figure in the same run, or for the figure
 * itself.
 */
export interface Aim {
  readonly subject: string;
  readonly trial: string;
  readonly metric: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly against?: Reference;
  readonly unit?: string;
  /** The driver that the limit is for; by default both ways to use the library. */
  readonly only?: string;
}

interface Reference {
  /** By default the same driver, in the other trial. */
  readonly driver?: string;
  /** The trial of the other figure, if it is not the same. */
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

/** The two ways to use the library. */
export const OURS = ["sqlite-aio-connection", "sqlite-aio-pool"] as const;

const speed = { metric: "opsPerSecond" };
const wall = { metric: "wallMs" };
const memory = { metric: "peakRssMb" };
const stall = { metric: "stallMs" };
const engine = { against: { driver: "better-sqlite3" } };
const point1 = { subject: "Point read, one caller", trial: "point-1", ...speed };
const point64 = { subject: "Point read, 64 in flight", trial: "point-64", ...speed };
const point512 = { subject: "Point read, 512 in flight", trial: "point-512", ...speed };
const fetched = { subject: "100,000 rows as objects", trial: "fetch" };
const iterated = { subject: "Iterate 1,000,000 rows", trial: "iterate" };
const batch = { subject: "100,000 rows in one transaction", trial: "transaction" };
const started = { subject: "Process start to first row", trial: "first-row", metric: "firstRowMs" };
const imported = { subject: "Import of 1,000,000 rows", trial: "import" };
const exported = { subject: "Export of 1,000,000 rows", trial: "export" };
const million = { subject: "A million calls", trial: "million" };

export const AIMS: readonly Aim[] = [
  { ...point1, atLeast: 0.25, ...engine },
  { ...point1, atLeast: 12, against: { driver: "comlink" } },
  { ...point64, atLeast: 1.5, ...engine },
  { ...point512, atLeast: 1.3, ...engine },
  { subject: "Batches of 64 by Promise.all", trial: "batch-64", ...speed, atLeast: 1, ...engine },
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
  {
    subject: "Inserts of which one in 20 is refused",
    trial: "unique-refused-64",
    ...speed,
    atLeast: 0.8,
    against: { trial: "unique-64" },
  },
  { ...batch, ...wall, atMost: 0.6, ...engine },
  { ...batch, ...stall, atMost: 0.1, ...engine },
  { subject: "Mixed, 64 callers", trial: "mixed", metric: "stallP99Ms", atMost: 2, unit: "ms" },
  { subject: "Idle connection", trial: "idle", metric: "idleCpuPerSecondMs", atMost: 0.5, unit: "ms/s" },
  { ...imported, ...wall, atMost: 0.8, ...engine },
  { ...imported, ...memory, atMost: 1.2, ...engine },
  { ...exported, ...wall, atMost: 0.8, ...engine },
  { ...exported, ...memory, atMost: 1.2, ...engine },
  { ...started, atMost: 2, ...engine },
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
  ...inPlaceOf("sqlite-aio-sqlite3", "sqlite3", {
    "all: 100,000 rows": { trial: "fetch", ...wall },
    "each: 1,000,000 rows": { trial: "iterate", ...wall },
    "get, one caller": { trial: "point-1", ...speed },
    "get, 64 in flight": { trial: "point-64", ...speed },
    "run without a callback": { trial: "runs", ...wall },
    "a transaction with its connection": { trial: "sequelize", ...speed },
  }),
  ...inPlaceOf("sqlite-aio-prisma", "prisma-better-sqlite3", {
    "find one": { trial: "prisma-find-1", ...speed },
    "find 100": { trial: "prisma-find-100", ...speed },
    "8 finds at a time": { trial: "prisma-find-8", ...speed },
    create: { trial: "prisma-create", ...speed },
    "interactive transaction": { trial: "prisma-transaction", ...speed },
  }),
];

/**
 * Aims for a package that replaces another one: no figure is worse, and the longest stall of large results is at most a
 * fifth.
 */
function inPlaceOf(
  only: string,
  driver: string,
  works: Readonly<Record<string, { trial: string; metric: string }>>,
): readonly Aim[] {
  return Object.entries(works).flatMap(([subject, { trial, metric }]): Aim[] => {
    const compared = { subject, trial, against: { driver }, only };
    const speedAim: Aim = { ...compared, metric, ...(metric === "wallMs" ? { atMost: 1 } : { atLeast: 1 }) };
    return ["fetch", "iterate"].includes(trial)
      ? [speedAim, { ...compared, ...stall, atMost: 0.2 }]
      : [speedAim];
  });
}

/** The aims for which this run has figures, with a verdict for each driver of the aim. */
export function judge(results: Results): readonly Verdict[] {
  return AIMS.map((aim) => ({
    aim,
    figures: (aim.only === undefined ? OURS : [aim.only]).map((driver) => figure(results, aim, driver)),
  })).filter(({ figures }) => figures.some(({ value }) => value !== undefined));
}

function figure(results: Results, aim: Aim, driver: string): Verdict["figures"][number] {
  const own = medianOf(results, aim.trial, driver, aim.metric);
  const other =
    aim.against &&
    medianOf(results, aim.against.trial ?? aim.trial, aim.against.driver ?? driver, aim.metric);
  if (own === undefined || (aim.against && other === undefined))
    return { driver, value: undefined, met: false };
  const value = other === undefined ? own : own / other;
  return { driver, value, met: value >= (aim.atLeast ?? -Infinity) && value <= (aim.atMost ?? Infinity) };
}
