import { OURS } from "../aims.ts";
import type { ECharts } from "../chart.ts";
import { driverNamed } from "../drivers.ts";
import { loadPackage } from "../packages.ts";
import type { Growth } from "./run.ts";
import { seriesNamed } from "./series.ts";

const COLUMNS = 2;
const WIDTH = 920;
const PANEL = { width: 360, height: 180 };
const STEP = { x: 450, y: 270 };
const MARGIN = { left: 70, top: 110 };
const COLORS = ["#1f6feb", "#79b8ff", "#8c96a3"];
const INK = "#24292f";
const FAINT = "#57606a";

/**
 * Draws a panel per line: the cost of one unit at each size. A level line is a cost that grows no faster than the size.
 */
export async function drawGrowth({ series }: Growth): Promise<string> {
  const echarts = await loadPackage<ECharts>("echarts");
  const height = MARGIN.top + Math.ceil(series.length / COLUMNS) * STEP.y;
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  const place = (index: number): { left: number; top: number } => ({
    left: MARGIN.left + (index % COLUMNS) * STEP.x,
    top: MARGIN.top + Math.floor(index / COLUMNS) * STEP.y,
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    textStyle: { fontFamily: "system-ui, sans-serif", color: INK },
    legend: {
      itemGap: 30,
      top: 44,
      left: 12,
      data: series[0]?.lines.map(({ driver }) => driverNamed(driver).title) ?? [],
    },
    title: [
      {
        text: "How costs grow: µs of one unit at each size (a level line is a cost in proportion; dashed: cold)",
        left: 12,
        top: 8,
        textStyle: { fontSize: 16, color: INK },
      },
      ...series.map(({ name }, index) => ({
        text: `${seriesNamed(name).title}, µs a ${seriesNamed(name).unit}`,
        left: place(index).left - 40,
        top: place(index).top - 26,
        textStyle: { fontSize: 12, fontWeight: "normal", color: INK },
      })),
    ],
    grid: series.map((_, index) => ({ ...place(index), ...PANEL })),
    xAxis: series.map(({ name }, gridIndex) => ({
      gridIndex,
      type: "log",
      name: seriesNamed(name).counts,
      nameLocation: "middle",
      nameGap: 24,
      nameTextStyle: { fontSize: 11, color: FAINT },
      axisLabel: { fontSize: 10, color: FAINT, formatter: compact },
    })),
    yAxis: series.map((_, gridIndex) => ({
      gridIndex,
      type: "log",
      axisLabel: { fontSize: 10, color: FAINT },
      splitLine: { lineStyle: { color: "#eaeef2" } },
    })),
    series: series.flatMap(({ lines }, index) =>
      lines.flatMap(({ driver, points }, line) =>
        (["unitUs", "coldUs"] as const).map((metric) => ({
          type: "line",
          name: driverNamed(driver).title,
          xAxisIndex: index,
          yAxisIndex: index,
          symbolSize: 4,
          color: COLORS[line],
          lineStyle: {
            width: (OURS as readonly string[]).includes(driver) ? 2 : 1.5,
            type: metric === "coldUs" ? "dashed" : "solid",
          },
          data: points.flatMap(({ size, metrics }) => {
            const value = metrics?.[metric];
            return value === undefined ? [] : [[size, value]];
          }),
        })),
      ),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function compact(value: number): string {
  return new Intl.NumberFormat("en-US", { notation: "compact" }).format(value);
}
