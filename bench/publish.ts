import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drawCharts } from "./chart.ts";
import { toJson } from "./json.ts";
import type { Options } from "./options.ts";
import { fullReport, shortReport } from "./report.ts";
import type { Results } from "./results.ts";

const START = "<!-- bench:start -->";
const END = "<!-- bench:end -->";

const DOCUMENTS: readonly { readonly path: string; readonly content: (results: Results) => string }[] = [
  { path: "README.md", content: (results) => shortReport(results, "bench/results") },
  { path: "docs/performance.md", content: (results) => fullReport(results, "../bench/results") },
];

/** Writes the figures, the tables and the charts; only a run that is published, or a full one, replaces the committed ones. */
export async function writeResults(
  results: Results,
  { mode, complete, publish: published }: Options,
): Promise<readonly string[]> {
  const folder = !complete ? "results/partial" : mode === "quick" && !published ? "results/quick" : "results";
  const files = new Map([
    ["results.json", toJson(results)],
    ["report.md", `${fullReport(results, ".")}\n`],
    ...(await drawCharts(results)),
  ]);
  mkdirSync(new URL(`./${folder}/`, import.meta.url), { recursive: true });
  for (const [name, content] of files)
    writeFileSync(new URL(`./${folder}/${name}`, import.meta.url), content);
  return [...files.keys()].map((name) => `bench/${folder}/${name}`);
}

/** Replaces what stands between the markers of each document that has them. */
export function publish(results: Results): readonly string[] {
  const changed: string[] = [];
  for (const { path, content } of DOCUMENTS) {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    const start = text.indexOf(START);
    const end = text.indexOf(END);
    if (start < 0 || end < start) continue;
    writeFileSync(file, `${text.slice(0, start)}${START}\n\n${content(results)}\n\n${text.slice(end)}`);
    changed.push(path);
  }
  return changed;
}
