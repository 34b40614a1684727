import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { format, writeMeasured } from "../docs/measured.ts";
import { drawCharts } from "./chart.ts";
import { toJson } from "./json.ts";
import type { Options } from "./options.ts";
import { besideReport, fullReport, shortReport } from "./report.ts";
import type { Results } from "./results.ts";

const DOCUMENTS: readonly { readonly path: string; readonly content: (results: Results) => string }[] = [
  { path: "README.md", content: (results) => shortReport(results, "bench/results") },
  {
    path: "packages/sqlite3/README.md",
    content: (results) => besideReport(results, "sqlite-aio-sqlite3", "sqlite3"),
  },
  { path: "docs/performance.md", content: (results) => fullReport(results, "../bench/results") },
];

/** Writes only the figures. */
export function writeFigures(results: Results, options: Options): void {
  mkdirSync(folderOf(options), { recursive: true });
  writeFileSync(new URL("results.json", folderOf(options)), toJson(results));
}

/** Writes the figures, the tables and the charts. */
export async function writeResults(
  results: Results,
  options: Options,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const folder = folderOf(options);
  writeFigures(results, options);
  writeFileSync(new URL("report.md", folder), `${fullReport(results, ".")}\n`);
  const charts = await drawCharts(results).catch((error: unknown) => {
    // The charts' package is one of the peers, which may be missing.
    say(`!!! no charts: ${String(error)}`);
    return new Map<string, string>();
  });
  for (const [name, chart] of charts) writeFileSync(new URL(name, folder), chart);
  const texts = ["results.json", "report.md"];
  for (const name of texts) format(new URL(name, folder));
  return texts
    .concat([...charts.keys()])
    .map((name) => relative(process.cwd(), fileURLToPath(new URL(name, folder))));
}

/** Only a published or a full run replaces the committed files. */
function folderOf({ mode, complete, publish: published }: Options): URL {
  const name = !complete ? "results/partial" : mode === "quick" && !published ? "results/quick" : "results";
  return new URL(`./${name}/`, import.meta.url);
}

/** Writes the tables into the documents that show them. */
export function publish(results: Results): readonly string[] {
  for (const { path, content } of DOCUMENTS) writeMeasured(path, "bench", content(results));
  return DOCUMENTS.map(({ path }) => path);
}
