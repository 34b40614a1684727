/** Name and format of a figure. */
export interface MetricStyle {
  readonly label: string;
  readonly format: (value: number) => string;
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

const STYLES: Readonly<Record<string, MetricStyle>> = {
  opsPerSecond: { label: "calls/s", format: (value) => whole.format(roughly(value)) },
  wallMs: { label: "wall, ms", format: short },
  p50Us: { label: "p50, µs", format: short },
  p99Us: { label: "p99, µs", format: short },
  stallMs: { label: "longest stall, ms", format: short },
  longestStallMs: { label: "of all, ms", format: short },
  longestPauseMs: { label: "longest pause of the collector, ms", format: short },
  stallP99Ms: { label: "ticker late, p99, ms", format: short },
  cpuSeconds: { label: "CPU, s", format: (value) => value.toFixed(2) },
  cpuUsPerCall: { label: "CPU per call, µs", format: short },
  peakRssMb: { label: "peak RSS, MB", format: short },
  heapGrowthMb: { label: "heap growth, MB", format: short },
  firstRowMs: { label: "first row, ms", format: short },
  nothingMs: { label: "a program that opens nothing, ms", format: short },
  ownMs: { label: "the difference, ms", format: short },
  exitMs: { label: "until it has ended, ms", format: short },
  openMs: { label: "open, ms", format: short },
  firstOpenMs: { label: "first open, ms", format: short },
  reopenMs: { label: "each, ms", format: short },
  reopenP99Ms: { label: "p99, ms", format: short },
  threads: { label: "threads", format: (value) => whole.format(value) },
  rssPerConnectionMb: { label: "RSS each, MB", format: short },
  idleCpuMs: { label: "CPU, ms", format: short },
  idleCpuPerSecondMs: { label: "CPU per second, ms", format: short },
  idleSeconds: { label: "seconds watched", format: short },
  rssMb: { label: "RSS, MB", format: short },
  rssGrowthMb: { label: "RSS growth, MB", format: short },
  rssEarlyMb: { label: "after 200,000, MB", format: short },
  rssLateMb: { label: "after 1,000,000, MB", format: short },
  handlesGrowth: { label: "more handles", format: short },
};

export function styleOf(metric: string): MetricStyle {
  return STYLES[metric] ?? { label: metric, format: short };
}

/** Rounds to three digits: the noise of the machine is larger than the rest. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (Math.abs(value) >= 100) return whole.format(value);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function roughly(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 2);
  return Math.round(value / step) * step;
}
