import { writeFile } from "node:fs/promises";
import { writeMeasured } from "../../docs/measured.ts";
import type { Results } from "./results.ts";
import { latency, markdown, throughput, verdicts } from "./tables.ts";

const picture = new URL("../../docs/single-or-pool.svg", import.meta.url);

/** Writes the tables between the markers of the page, and the chart beside the page. */
export async function publish(results: Results, about: readonly string[], svg: string): Promise<void> {
  const parts = [
    "![Calls per second over the number of callers](single-or-pool.svg)",
    `${about.join("; ")}.`,
    section(verdicts(results)),
    folded(throughput(results)),
    folded(latency(results)),
  ];
  writeMeasured("docs/single-or-pool.md", "exercise", parts.join("\n\n"));
  await writeFile(picture, svg);

  function section(grid: ReturnType<typeof verdicts>): string {
    return `${grid.title}:\n\n${markdown(grid)}`;
  }

  function folded(grid: ReturnType<typeof verdicts>): string {
    return `<details>\n<summary>${grid.title}</summary>\n\n${markdown(grid)}\n\n</details>`;
  }
}
