import { readFile, writeFile } from "node:fs/promises";
import type { Results } from "./results.ts";
import { latency, markdown, throughput, verdicts } from "./tables.ts";

const page = new URL("../../docs/single-or-pool.md", import.meta.url);
const picture = new URL("../../docs/single-or-pool.svg", import.meta.url);

const START = "<!-- exercise:start -->";
const END = "<!-- exercise:end -->";

/** Puts the tables between the markers of the page, and the chart beside it. */
export async function publish(results: Results, about: readonly string[], svg: string): Promise<void> {
  const text = await readFile(page, "utf8");
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start < 0 || end < start) throw new Error(`${page.pathname} has no markers`);
  const parts = [
    START,
    "![Calls per second over the number of callers](single-or-pool.svg)",
    `${about.join("; ")}.`,
    section(verdicts(results)),
    folded(throughput(results)),
    folded(latency(results)),
    END,
  ];
  await writeFile(page, text.slice(0, start) + parts.join("\n\n") + text.slice(end + END.length));
  await writeFile(picture, svg);

  function section(grid: ReturnType<typeof verdicts>): string {
    return `${grid.title}:\n\n${markdown(grid)}`;
  }

  function folded(grid: ReturnType<typeof verdicts>): string {
    return `<details>\n<summary>${grid.title}</summary>\n\n${markdown(grid)}\n\n</details>`;
  }
}
