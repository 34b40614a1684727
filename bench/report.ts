import { type Aim, AIMS, judge, OURS, type Verdict } from "./aims.ts";
import { CHARTS } from "./chart.ts";
import { pragmas } from "./driver.ts";
import { short, styleOf } from "./metrics.ts";
import { type DriverResult, medianOf, type Results, type TrialEntry, type TrialResult } from "./results.ts";
import type { Summary } from "./statistics.ts";
import { type Cells, table } from "./table.ts";

/** The full report: settings, aims, and a table per trial. `charts` is the path from the document to the charts. */
export function fullReport(results: Results, charts: string): string {
  return [
    provenance(results),
    ...CHARTS.map(({ file, title }) => `![${title}](${charts}/${file})`),
    ...results.trials.flatMap((trial) => [
      `### ${trial.title}`,
      describe(results, trial),
      trialTable(results, trial),
    ]),
    "### Aims",
    aimsTable(results),
    "### Settings",
    settings(results),
  ].join("\n\n");
}

/** For the front page: the charts, and the two figures that matter most, speed and stall. */
export function shortReport(results: Results, charts: string): string {
  return [
    ...CHARTS.slice(0, 2).map(({ file, title }) => `![${title}](${charts}/${file})`),
    overview(results),
    provenance(results),
  ].join("\n\n");
}

/**
 * For a package that replaces another: the time of both for the calls in which it must not be slower, and their stalls.
 */
export function besideReport(results: Results, ours: string, other: string): string {
  const drivers = [ours, other];
  const compared = AIMS.filter(
    ({ only, against, metric }) => only === ours && against?.driver === other && metric !== "stallMs",
  );
  const rows = compared.flatMap(({ subject, trial, metric }) => {
    const figures = drivers.map((driver) => medianOf(results, trial, driver, metric));
    const [own, its] = figures;
    if (own === undefined || its === undefined) return [];
    const stalls = drivers.map((driver) => medianOf(results, trial, driver, "stallMs"));
    return [
      [
        subject,
        styleOf(metric).label,
        ...figures.map((figure) => formatted(metric, figure)),
        `${short(own / its)} x`,
        ...stalls.map((figure) => formatted("stallMs", figure)),
      ],
    ];
  });
  const [title, otherTitle] = drivers.map((driver) => titleOf(results, driver));
  const head = ["", "", `${title}`, `${otherTitle}`, "ratio", "longest stall, ms", `of ${otherTitle}`];
  const medians =
    "Medians of the rounds that docs/performance.md names; the two packages alternate, each in a new process each time.";
  return [table(head, rows, 2), circumstances(results, medians).join(" ")].join("\n\n");
}

function formatted(metric: string, figure: number | undefined): string {
  return figure === undefined ? "" : styleOf(metric).format(figure);
}

/** The report for the terminal. */
export function terminalReport(results: Results): string {
  const tables = results.trials.map((trial) => `\n${trial.title}\n${trialTable(results, trial)}`);
  return [...tables, "\nAims", aimsTable(results)].join("\n");
}

function provenance(results: Results): string {
  const { rounds, mode, drivers } = results;
  const medians = `Medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}${mode === "quick" ? " (a quick run)" : ""}, each driver in a fresh process each time, rounds interleaved; in brackets the lowest and highest round.`;
  return [...circumstances(results, medians), ...drivers.flatMap(absence)].join(" ");
}

function circumstances({ environment, baseline }: Results, medians: string): readonly string[] {
  const { cpu, cores, memoryGb, node, system, date, loadBefore } = environment;
  return [
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}; load before the run ${loadBefore.toFixed(1)}.`,
    medians,
    `A stall is the longest delay of a 1 ms timer on the main loop (an idle process shows ${short(baseline["stallMs"]?.median ?? Number.NaN)} ms here).`,
  ];
}

function overview(results: Results): string {
  const columns = [
    ["point-1", "opsPerSecond", "point read, one caller, calls/s"],
    ["point-64", "opsPerSecond", "64 in flight, calls/s"],
    ["insert-full-64", "opsPerSecond", "durable inserts, 64 in flight, calls/s"],
    ["fetch", "wallMs", "100,000 rows, ms"],
    ["fetch", "stallMs", "100,000 rows, longest stall, ms"],
    ["aggregate", "stallMs", "aggregate, longest stall, ms"],
  ] as const;
  const rows = results.drivers
    .map(({ name, title }) => {
      const figures = columns.map(([trial, metric]) => {
        const median = medianOf(results, trial, name, metric);
        return median === undefined ? "" : styleOf(metric).format(median);
      });
      return [title].concat(figures);
    })
    .filter(([, ...figures]) => figures.some((figure) => figure !== ""));
  return table(["driver", ...columns.map(([, , label]) => label)], rows);
}

function absence({ title, skipped }: DriverResult): readonly string[] {
  return skipped === undefined ? [] : [`**${title} was left out: it did not load (${firstLine(skipped)}).**`];
}

/** A long trial has fewer rounds, and says so. */
function describe({ rounds }: Results, { description, drivers }: TrialResult): string {
  const counts = drivers.flatMap(({ metrics }) =>
    Object.values(metrics).map((summary) => summary.rounds.length),
  );
  const most = Math.max(0, ...counts);
  return most > 0 && most < rounds
    ? `${description} (${most} ${most === 1 ? "round" : "rounds"} only.)`
    : description;
}

function trialTable(results: Results, { columns, drivers }: TrialResult): string {
  const rows = drivers.map((entry) => [titleOf(results, entry.driver), ...cellsOf(entry, columns)]);
  return table(["driver", ...columns.map((metric) => styleOf(metric).label)], rows);
}

/**
 * Only the first column shows its spread. With all of them the table would be unreadable; results.json has the rest.
 */
function cellsOf({ metrics, failures }: TrialEntry, columns: readonly string[]): Cells {
  if (Object.keys(metrics).length === 0)
    return columns.map((_, index) => (index === 0 ? `failed: ${firstLine(failures[0] ?? "")}` : ""));
  return columns.map((metric, index) => {
    const summary = metrics[metric];
    if (!summary) return "";
    const text = styleOf(metric).format(summary.median);
    return index === 0 ? `${text}${spread(metric, summary)}` : text;
  });
}

function spread(metric: string, { min, max, rounds }: Summary): string {
  const { format } = styleOf(metric);
  return rounds.length < 2 ? "" : ` (${format(min)} - ${format(max)})`;
}

function aimsTable(results: Results): string {
  const columns: readonly string[] = OURS;
  const verdicts = judge(results);
  const ofOurs = verdicts.filter(({ figures }) => figures.some(({ driver }) => columns.includes(driver)));
  const ofOthers = verdicts.filter((each) => !ofOurs.includes(each));
  const rows = ofOurs.map(({ aim, figures }) =>
    [aim.subject, bound(results, aim)].concat(
      columns.map((driver) => {
        const figure = figures.find((each) => each.driver === driver);
        return figure === undefined ? "" : verdict(aim, figure);
      }),
    ),
  );
  const others = ofOthers.flatMap(({ aim, figures }) =>
    figures.map((figure) => [
      titleOf(results, figure.driver),
      aim.subject,
      bound(results, aim),
      verdict(aim, figure),
    ]),
  );
  const tables = [table(["trial", "aim", ...columns.map((driver) => titleOf(results, driver))], rows, 2)];
  if (others.length > 0) tables.push(table(["package", "call", "aim", "figure"], others, 3));
  return tables.join("\n\n");
}

function bound(results: Results, { metric, atLeast, atMost, against, unit }: Aim): string {
  const sign = atLeast === undefined ? "<=" : ">=";
  const value = atLeast ?? atMost ?? 0;
  const { label } = styleOf(metric);
  if (!against) return `${label.replace(/, .*$/, "")} ${sign} ${value} ${unit ?? ""}`.trim();
  const where = against.trial
    ? `${against.driver === undefined ? "its own" : ""} in "${results.trials.find(({ name }) => name === against.trial)?.title ?? against.trial}"`
    : "";
  return `${label.replace(/, .*$/, "")} ${sign} ${value} x ${against.driver === undefined ? "" : titleOf(results, against.driver)}${where}`;
}

function verdict({ unit }: Aim, { value, met }: Verdict["figures"][number]): string {
  if (value === undefined) return "not measured";
  const digits = Math.abs(value) < 0.1 ? value.toFixed(3) : short(value);
  return `${digits}${unit ? ` ${unit}` : " x"}, ${met ? "met" : "**missed**"}`;
}

function settings({ drivers, effort }: Results): string {
  const common = pragmas({ synchronous: "FULL", callers: 1 }).map((pragma) => `\`${pragma}\``);
  const rows = drivers.map((driver) => [
    driver.title,
    driver.usage,
    driver.probe?.sqlite ?? "-",
    versions(driver),
  ]);
  return [
    `Every connection of every driver runs ${common.join(", ")} (synchronous NORMAL if the trial says so); results.json has what each driver reports. ` +
      `Calls are timed for ${effort.timedMs} ms after a warm-up of ${effort.warmUpMs} ms: in the first seconds V8 compiles, on the cores that the drivers need. A driver that runs its queries on the calling thread gets its callers one after the other, tick by tick, ` +
      "with a turn of the loop after each millisecond; each caller's latency counts from the start of its tick. Processor time is of the whole process, all threads.",
    table(["driver", "how it is used", "SQLite", "versions"], rows, 4),
  ].join("\n\n");
}

function versions({ probe, skipped }: DriverResult): string {
  if (!probe) return `did not load: ${firstLine(skipped ?? "")}`;
  return Object.entries(probe.packages)
    .map(([name, version]) => (name.startsWith("node:") ? version : `${name} ${version}`))
    .join(", ");
}

function titleOf(results: Results, name: string): string {
  return results.drivers.find((driver) => driver.name === name)?.title ?? name;
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").replaceAll("|", "\\|").slice(0, 120);
}
