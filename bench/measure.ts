import { CollectorWatch } from "./collector-watch.ts";
import { quantile, sorted } from "./statistics.ts";
import { Ticker, type TickerReport } from "./ticker.ts";
import { TurnRecorder } from "./turns.ts";

const CALIBRATION_MS = 60;

export type Metrics = Readonly<Record<string, number>>;

/** Duration of each part of a trial in one process. */
export interface Effort {
  readonly warmUpMs: number;
  readonly timedMs: number;
  readonly turnsMs: number;
  readonly repeats: number;
  readonly idleMs: number;
  /** Number of databases, in trials with many. */
  readonly databases: number;
}

export interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Measures the processor time of the whole process, including all threads of the driver. */
export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1_000 };
}

export interface Passes {
  /** The pass whose speed is reported, under the 1 ms ticker. Called `repeats` times. */
  readonly timed: () => Promise<void>;
  readonly repeats?: number;
  /** The same work again, only to time the turns of the loop. */
  readonly again: () => Promise<void>;
  /** Drops the data of the last pass, so that no pass pays for the garbage of another. */
  readonly reset?: () => void;
}

/**
 * Runs the work under each recorder in turn. The ticker's figures are the reported ones: they are what an application
 * would notice, up to a millisecond too low. The turns are exact, but recording them keeps a core busy that the
 * driver's threads may need, so they only confirm the ticker's figures.
 */
export async function stallsOf({ timed, repeats = 1, again, reset = () => {} }: Passes): Promise<Metrics> {
  const settle = (): void => {
    reset();
    collectGarbage();
  };
  const ticker = new Ticker();
  settle();
  await ticker.calibrate(CALIBRATION_MS);
  const reports: TickerReport[] = [];
  const collector = new CollectorWatch();
  for (let repeat = 0; repeat < repeats; repeat++) {
    settle();
    collector.start();
    await ticker.start();
    await timed();
    reports.push(await ticker.stop());
    collector.stop();
  }
  const peakRssMb = process.resourceUsage().maxRSS / 1_024;
  settle();
  const recorder = new TurnRecorder();
  await recorder.start();
  await again();
  const turns = await recorder.stop();
  const worst = (of: (report: TickerReport) => number): number => Math.max(...reports.map(of));
  return {
    stallMs: quantile(sorted(reports.map(({ longestMs }) => longestMs)), 0.5),
    longestStallMs: worst(({ longestMs }) => longestMs),
    stallP99Ms: worst(({ latenessP99Ms }) => latenessP99Ms),
    histogramMaxMs: worst(({ histogramMaxMs }) => histogramMaxMs),
    idleLatenessP99Ms: worst(({ idleP99Ms }) => idleP99Ms),
    longestPauseMs: collector.longestMs,
    turnsLongestMs: turns.longestMs,
    turnsWaitP99Ms: turns.waitP99Ms,
    peakRssMb,
  };
}

/** The children run with --expose-gc, so that no phase pays for the garbage of another. */
export function collectGarbage(): void {
  globalThis.gc?.();
}

export function rssMb(): number {
  collectGarbage();
  return process.memoryUsage.rss() / 2 ** 20;
}
