import Table from "cli-table3";
import { type Cell, callsPerSecond, MARGIN, p99Ms, type Results } from "./results.ts";
import { pools, setups, single, synchronousModes } from "./setups.ts";
import { kinds, works } from "./work.ts";

/** A table that is not drawn yet: the first `words` columns are text, the others numbers. */
export interface Grid {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly words: number;
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const twoDigits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 });

export function throughput(results: Results): Grid {
  return byCallers(results, "Calls per second, by the number of callers", (cell) =>
    whole.format(callsPerSecond(cell)),
  );
}

export function latency(results: Results): Grid {
  const watched = works.map(({ title, watched: kind }) => `${kinds[kind].noun}s in ${title}`).join(", ");
  return byCallers(
    results,
    `Milliseconds within which 99 of 100 were answered (${watched}), by the number of callers`,
    (cell) => twoDigits.format(p99Ms(cell)),
  );
}

/** Where each pool begins to win over the single connection. */
export function verdicts(results: Results): Grid {
  return {
    title: `Callers at which a pool answered at least ${MARGIN} x the calls of the single connection, in every round`,
    head: ["work", "synchronous", ...pools.map(({ title }) => title)],
    words: 2 + pools.length,
    rows: works.flatMap((work) =>
      synchronousModes.map((mode) => [
        work.title,
        mode,
        ...pools.map((pool) => results.verdict(work, mode, pool, single)),
      ]),
    ),
  };
}

function byCallers(results: Results, title: string, format: (cell: Cell) => string): Grid {
  return {
    title,
    head: ["work", "synchronous", "setup", ...results.callers.map(String)],
    words: 3,
    rows: works.flatMap((work) =>
      synchronousModes.flatMap((mode) =>
        setups.map((setup) => {
          const cells = results.callers.map((callers) => results.of(work, mode, setup, callers));
          return [work.title, mode, setup.title].concat(cells.map(format));
        }),
      ),
    ),
  };
}

/** The table for a terminal. */
export function drawn({ title, head, rows, words }: Grid): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (column < words ? "left" : "right")),
  });
  for (const row of rows) table.push([...row]);
  return `${title}\n${table.toString()}`;
}

/** The table for a document. */
export function markdown({ head, rows, words }: Grid): string {
  const rule = head.map((_, column) => (column < words ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
