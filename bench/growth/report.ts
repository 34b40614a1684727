import { driverNamed } from "../drivers.ts";
import { short } from "../metrics.ts";
import { table } from "../table.ts";
import type { Growth, Line, Point } from "./run.ts";
import { type Series, seriesNamed } from "./series.ts";

/**
 * The line counts as straight if a unit at the largest size costs at most this many times its cost at the cheapest
 * smaller size.
 */
const STRAIGHT = 1.5;

/** A table per line, and whether the line is straight. */
export function growthReport({ environment, mode, series }: Growth): string {
  const { cpu, cores, memoryGb, node, date, loadBefore } = environment;
  return [
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; load before the run ${loadBefore.toFixed(1)}${mode === "quick" ? "; a quick run without the largest sizes" : ""}. Each figure comes from a process of its own. A line is called straight if a unit at the largest size costs at most ${STRAIGHT} times what it costs at the cheapest smaller one.`,
    ...series.flatMap(({ name, lines }) => section(seriesNamed(name), lines)),
  ].join("\n\n");
}

function section(series: Series, lines: readonly Line[]): readonly string[] {
  const sizes = lines[0]?.points.map(({ size }) => size) ?? [];
  const head = [
    series.counts,
    ...lines.flatMap(({ driver }) =>
      columnsOf(lines).map((column) => `${driverNamed(driver).title}: ${LABELS[column]?.(series.unit)}`),
    ),
  ];
  const rows = sizes.map((size, at) =>
    [size.toLocaleString("en-US")].concat(
      lines.flatMap(({ points }) => columnsOf(lines).map((column) => cell(points[at], column))),
    ),
  );
  return [
    `### ${series.title}`,
    series.description,
    table(head, rows),
    lines.map(straightness).join("; ") + (series.reason === undefined ? "." : `. ${series.reason}`),
  ];
}

function cell(point: Point | undefined, column: string): string {
  const value = point?.metrics?.[column];
  if (value !== undefined) return short(value);
  return point?.metrics === null ? "failed" : "";
}

const LABELS: Readonly<Record<string, (unit: string) => string>> = {
  unitUs: (unit) => `µs a ${unit}`,
  coldUs: (unit) => `cold, µs a ${unit}`,
  peakRssMb: () => "peak RSS, MB",
};

function columnsOf(lines: readonly Line[]): readonly string[] {
  return Object.keys(LABELS).filter((name) =>
    lines.some(({ points }) => points.some(({ metrics }) => metrics?.[name] !== undefined)),
  );
}

function straightness({ driver, points }: Line): string {
  const costs = points.flatMap(({ metrics }) => metrics?.["unitUs"] ?? []);
  const last = costs.at(-1) ?? Number.NaN;
  const least = Math.min(...costs.slice(0, -1));
  const ratio = last / least;
  return `${driverNamed(driver).title}: ${ratio <= STRAIGHT ? "straight" : `**not straight**`} (${short(ratio)} x)`;
}
