import { mkdirSync, writeFileSync } from "node:fs";
import { format, writeMeasured } from "../docs/measured.ts";
import { drawCharts } from "./chart.ts";
import { toJson } from "./json.ts";
import type { Options } from "./options.ts";
import { fullReport, shortReport } from "./report.ts";
import type { Results } from "./results.ts";

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
  for (const [name, content] of files) {
    const file = new URL(`./${folder}/${name}`, import.meta.url);
    writeFileSync(file, content);
    if (/\.(md|json)$/.test(name)) format(file);
  }
  return [...files.keys()].map((name) => `bench/${folder}/${name}`);
}

/** Puts the tables into the documents that show them. */
export function publish(results: Results): readonly string[] {
  for (const { path, content } of DOCUMENTS) writeMeasured(path, "bench", content(results));
  return DOCUMENTS.map(({ path }) => path);
}
