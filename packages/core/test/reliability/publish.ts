// Writes the table of docs/reliability.md from what `pnpm test:soak` has measured: `node packages/core/test/reliability/publish.ts`.
// A promise that was not measured this time keeps its figure, with its day.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { connect, sqliteVersion } from "@sqlite-aio/core";
import { writeMeasured } from "../../../../docs/measured.ts";
import { promises } from "./promises.ts";

interface Figure {
  readonly promise: string;
  readonly text: string;
  readonly seed: number;
  /** Such as "2026-11-29". */
  readonly day: string;
}

const figures = new URL("results/figures.jsonl", import.meta.url);

const latest = new Map<string, Figure>();
for (const line of readFileSync(figures, "utf8").split("\n")) {
  if (line === "") continue;
  const figure = JSON.parse(line) as Figure;
  latest.set(figure.promise, figure);
}
for (const key of latest.keys()) {
  if (!promises.some((promise) => promise.key === key)) throw new Error(`promises.ts does not know "${key}"`);
}
const published = readFileSync(new URL("../../../../docs/reliability.md", import.meta.url), "utf8");
const rows = promises.map(({ key, promise, fault, file }) => {
  const figure = latest.get(key);
  const before = published.split("\n").find((line) => line.includes(`| [${key}](`));
  const measured =
    figure === undefined
      ? (before?.split(/(?<!\\)\|/)[3]!.trim() ?? "not measured")
      : `${figure.text} (seed ${figure.seed}, ${figure.day})`.replaceAll("|", "\\|");
  return [promise, fault, measured, `[${key}](../packages/core/test/reliability/${file})`];
});
const header = ["promise", "fault", "figure", "test"];
// The engine says its version when a connection is opened.
await (await connect(":memory:")).close();
const machine = [
  `Node ${process.versions.node}`,
  `SQLite ${sqliteVersion}`,
  `${type()} ${release()} ${process.arch}`,
  `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"})`,
  `${Math.round(totalmem() / 2 ** 30)} GB`,
].join(", ");
const table = [header, header.map(() => "---"), ...rows]
  .map((cells) => `| ${cells.join(" | ")} |`)
  .join("\n");

writeMeasured(
  "docs/reliability.md",
  "soak",
  `${table}\n\nMeasured on the days named, the latest with ${machine}.`,
);
