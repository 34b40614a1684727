import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { callsPerSecond, type Results } from "./results.ts";
import { setups, single } from "./setups.ts";
import { works } from "./work.ts";

const COLOURS = ["#24292f", "#bf8700", "#cf222e", "#8250df", "#1f6feb"];

/** The chart as SVG text: calls per second over callers, a line for each setup, a panel for each work and mode. */
export async function draw(results: Results, about: readonly string[]): Promise<string> {
  const values = results.cells.map((cell) => ({
    work: cell.work.title,
    synchronous: `synchronous=${cell.synchronous}`,
    setup: cell.setup.title,
    callers: cell.callers,
    calls: callsPerSecond(cell),
  }));
  const titles = setups.map(({ title }) => title);
  const spec: TopLevelSpec = {
    title: {
      text: "Single connection or pool: calls per second (higher is better)",
      subtitle: [...about],
      anchor: "start",
      offset: 12,
    },
    background: "#ffffff",
    padding: 12,
    data: { values },
    facet: {
      row: { field: "work", type: "nominal", sort: works.map(({ title }) => title), title: null },
      column: { field: "synchronous", type: "nominal", title: null },
    },
    resolve: { scale: { y: "independent" } },
    spec: {
      width: 340,
      height: 150,
      mark: { type: "line", point: { size: 22 } },
      encoding: {
        x: {
          field: "callers",
          type: "quantitative",
          scale: { type: "log", base: 2, nice: false },
          axis: { title: "callers", values: [...results.callers], format: "d", grid: false },
        },
        y: {
          field: "calls",
          type: "quantitative",
          scale: { type: "log", nice: true },
          axis: { title: "calls per second", format: "~s", gridColor: "#eaeef2" },
        },
        color: {
          field: "setup",
          type: "nominal",
          scale: { domain: titles, range: COLOURS },
          legend: { title: null, orient: "top" },
        },
        strokeWidth: {
          condition: { test: { field: "setup", equal: single.title }, value: 3 },
          value: 1.5,
        },
      },
    },
    config: { font: "system-ui, sans-serif", view: { stroke: "#d0d7de" } },
  };
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}
