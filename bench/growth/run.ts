import { mkdirSync, writeFileSync } from "node:fs";
import { format, writeMeasured } from "../../docs/measured.ts";
import { prepareDataset } from "../datasets.ts";
import { environment } from "../environment.ts";
import { toJson } from "../json.ts";
import { launch } from "../launch.ts";
import type { Metrics } from "../measure.ts";
import type { Options } from "../options.ts";
import { drawGrowth } from "./chart.ts";
import { removePages } from "./files.ts";
import { growthReport } from "./report.ts";
import { GROWTH_DRIVERS, SERIES, type Series } from "./series.ts";

/** The figures of a driver at one size; none if it failed. */
export interface Point {
  readonly size: number;
  readonly metrics: Metrics | null;
  readonly failure?: string;
}

export interface Line {
  readonly driver: string;
  readonly points: readonly Point[];
}

export interface Growth {
  readonly environment: ReturnType<typeof environment>;
  readonly mode: Options["mode"];
  readonly series: readonly { readonly name: string; readonly lines: readonly Line[] }[];
}

const LIMIT_MS = 600_000;
const CHART = "growth.svg";

/** Measures how costs grow and draws it. If the run is published, also writes the tables into docs/performance.md. */
export async function growth(
  { mode, publish, complete, series: chosen }: Options,
  say: (line: string) => void,
) {
  for (const name of ["items", "orders"] as const) prepareDataset(name);
  const part = !complete ? "partial/" : mode === "quick" && !publish ? "quick/" : "";
  const folder = new URL(`../results/${part}`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  const done: Growth["series"][number][] = [];
  const results: Growth = { environment: environment(), mode, series: done };
  try {
    for (const series of SERIES.filter(({ name }) => chosen.includes(name))) {
      done.push({ name: series.name, lines: await linesOf(series, mode, say) });
      // Saved after each step, because the largest sizes take minutes.
      writeFileSync(new URL("growth.json", folder), toJson(results));
    }
  } finally {
    removePages();
  }
  format(new URL("growth.json", folder));
  say(growthReport(results));
  writeFileSync(new URL(CHART, folder), await drawGrowth(results));
  if (!publish) return;
  writeMeasured(
    "docs/performance.md",
    "growth",
    `![How costs grow](../bench/results/${CHART})\n\n${growthReport(results)}`,
  );
}

async function linesOf(
  series: Series,
  mode: Options["mode"],
  say: (line: string) => void,
): Promise<readonly Line[]> {
  const lines = GROWTH_DRIVERS.map((driver) => ({ driver, points: [] as Point[] }));
  // All drivers at one size, then all at the next, so that a disturbance of the machine affects all of them.
  for (const size of series.sizes.filter((each) => mode === "full" || each <= series.quick)) {
    for (const { driver, points } of lines) {
      const point = await measured(series, driver, size);
      points.push(point);
      const told =
        point.metrics === null ? `FAILED ${point.failure}` : `${point.metrics["unitUs"]?.toPrecision(3)} us`;
      say(`${series.name.padEnd(12)} ${String(size).padStart(9)} ${driver.padEnd(24)} ${told}`);
    }
  }
  return lines;
}

async function measured(series: Series, driver: string, size: number): Promise<Point> {
  const job = { kind: "growth", driver, series: series.name, size } as const;
  const answer = await launch(job, LIMIT_MS, series.nodeOptions);
  if (answer.kind === "metrics") return { size, metrics: answer.metrics };
  return {
    size,
    metrics: null,
    failure: answer.kind === "failed" ? answer.message : "answered another question",
  };
}
