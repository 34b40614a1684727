import { OURS } from "./aims.ts";
import { styleOf } from "./metrics.ts";
import { loadPackage } from "./packages.ts";
import type { Results } from "./results.ts";

export interface ChartPlan {
  readonly file: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  /** For bars whose lengths differ by a factor of a thousand. */
  readonly logarithmic?: boolean;
}

interface Panel {
  readonly trial: string;
  readonly metric: string;
}

const sameMetric = (metric: string, ...trials: readonly string[]): readonly Panel[] =>
  trials.map((trial) => ({ trial, metric }));

export const CHARTS: readonly ChartPlan[] = [
  {
    file: "stalls.svg",
    title: "Longest stall of the main loop, ms (shorter is better, logarithmic)",
    panels: sameMetric("stallMs", "fetch", "iterate", "transaction", "aggregate"),
    logarithmic: true,
  },
  {
    file: "point-reads.svg",
    title: "Point reads, calls per second (longer is better)",
    panels: sameMetric("opsPerSecond", "point-1", "point-64", "point-512"),
  },
  {
    file: "bulk.svg",
    title: "Bulk work, ms (shorter is better)",
    panels: sameMetric("wallMs", "fetch", "iterate", "transaction", "aggregate"),
  },
  {
    file: "writes.svg",
    title: "Writes, each committed before it is answered, calls per second (longer is better)",
    panels: sameMetric("opsPerSecond", "insert-full-64", "insert-normal-64", "mixed"),
  },
];

/** The part of the package that is used here. */
export interface ECharts {
  init(
    element: null,
    theme: null,
    options: object,
  ): { setOption(option: object): void; renderToSVGString(): string; dispose(): void };
}

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly color: string;
  readonly text: string;
}

interface DrawnPanel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 920;
const BAR_HEIGHT = 19;
const PANEL_GAP = 58;
const HEAD = 66;
const AXIS_START = 1.02;
const OWN_COLOR = "#1f6feb";
const PEER_COLOR = "#8c96a3";
const BLOCKING_COLOR = "#d0d7de";
const INK = "#24292f";

/** Draws the charts for which the run has figures; the others are left out. */
export async function drawCharts(results: Results): Promise<ReadonlyMap<string, string>> {
  const echarts = await loadPackage<ECharts>("echarts");
  const drawn = new Map<string, string>();
  for (const plan of CHARTS) {
    const filled = plan.panels.map((panel) => fill(results, panel)).filter(({ bars }) => bars.length > 0);
    if (filled.length > 0) drawn.set(plan.file, draw(echarts, plan, filled));
  }
  return drawn;
}

function fill(results: Results, { trial: name, metric }: Panel): DrawnPanel {
  const trial = results.trials.find((candidate) => candidate.name === name);
  const bars = (trial?.drivers ?? []).flatMap(({ driver, metrics }): Bar[] => {
    const summary = metrics[metric];
    if (!summary) return [];
    const about = results.drivers.find((candidate) => candidate.name === driver);
    const { median: value, min, max } = summary;
    const own = (OURS as readonly string[]).includes(driver);
    const color = own ? OWN_COLOR : about?.blocks ? BLOCKING_COLOR : PEER_COLOR;
    return [{ label: about?.title ?? driver, value, min, max, color, text: styleOf(metric).format(value) }];
  });
  return { title: trial?.title ?? name, bars };
}

function draw(
  echarts: ECharts,
  { title, logarithmic = false }: ChartPlan,
  panels: readonly DrawnPanel[],
): string {
  const tops: number[] = [];
  let height = HEAD;
  for (const { bars } of panels) {
    tops.push(height + 24);
    height += bars.length * BAR_HEIGHT + PANEL_GAP;
  }
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "system-ui, sans-serif", color: INK },
    title: [
      {
        text: title,
        subtext:
          "blue: sqlite-aio; light grey: drivers whose queries run on the main thread; line: lowest to highest round",
        left: 12,
        top: 8,
        itemGap: 5,
        textStyle: { fontSize: 16, color: INK },
        subtextStyle: { fontSize: 11, color: "#57606a" },
      },
      ...panels.map((panel, index) => ({
        text: panel.title,
        left: 12,
        top: (tops[index] ?? 0) - 24,
        textStyle: { fontSize: 13, fontWeight: "normal", color: INK },
      })),
    ],
    grid: panels.map(({ bars }, index) => ({
      left: 290,
      right: 90,
      top: tops[index],
      height: bars.length * BAR_HEIGHT,
    })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: logarithmic ? "log" : "value",
      ...(logarithmic && { min: 1 }),
      splitLine: { lineStyle: { color: "#eaeef2" } },
      axisLabel: { fontSize: 10, color: "#57606a" },
    })),
    yAxis: panels.map(({ bars }, gridIndex) => ({
      gridIndex,
      type: "category",
      inverse: true,
      data: bars.map(({ label }) => label),
      axisTick: { show: false },
      axisLabel: { fontSize: 11, color: INK },
    })),
    series: panels.flatMap((panel, index) => [barsOf(panel, index, logarithmic), whiskersOf(panel, index)]),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function barsOf({ bars }: DrawnPanel, index: number, logarithmic: boolean): object {
  return {
    type: "bar",
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: BAR_HEIGHT - 7,
    // A logarithmic axis begins at 1; a shorter bar would be drawn backwards.
    data: bars.map(({ value, color }) => ({
      value: logarithmic ? Math.max(AXIS_START, value) : value,
      itemStyle: { color },
    })),
  };
}

interface CustomApi {
  value(dimension: number): number;
  coord(point: readonly number[]): readonly [number, number];
}

/** A line from the lowest to the highest round, with the median written past its end. */
function whiskersOf({ bars }: DrawnPanel, index: number): object {
  return {
    type: "custom",
    xAxisIndex: index,
    yAxisIndex: index,
    data: bars.map(({ min, max }, row) => [Math.max(AXIS_START, min), row, Math.max(AXIS_START, max)]),
    encode: { x: [0, 2], y: 1 },
    renderItem: ({ dataIndex }: { readonly dataIndex: number }, api: CustomApi) => {
      const [left, y] = api.coord([api.value(0), api.value(1)]);
      const [right] = api.coord([api.value(2), api.value(1)]);
      return {
        type: "group",
        children: [
          {
            type: "line",
            shape: { x1: left, y1: y, x2: right, y2: y },
            style: { stroke: INK, lineWidth: 1.2 },
          },
          {
            type: "text",
            style: {
              text: bars[dataIndex]?.text,
              x: right + 8,
              y,
              fill: INK,
              font: "11px sans-serif",
              verticalAlign: "middle",
            },
          },
        ],
      };
    },
  };
}
