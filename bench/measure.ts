import { CollectorWatch } from "./collector-watch.ts";
import { quantile, sorted } from "./statistics.ts";
import { Ticker, type TickerReport } from "./ticker.ts";
import { TurnRecorder } from "./turns.ts";

const CALIBRATION_MS = 60;

export type Metrics = Readonly<Record<string, number>>;

/** How long each part of a trial lasts in one process. */
export interface Effort {
  readonly warmUpMs: number;
  readonly timedMs: number;
  readonly turnsMs: number;
  readonly repeats: number;
  readonly idleMs: number;
  /** How many databases there are, where there are many. */
  readonly databases: number;
}

export interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Processor time is of the whole process: every thread of the driver counts, whoever started it. */
export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1_000 };
}

export interface Passes {
  /** The pass whose speed is reported, under the 1 ms ticker, as often as it is to be timed. */
  readonly timed: () => Promise<void>;
  readonly repeats?: number;
  /** The same work once more, only to time the turns of the loop. */
  readonly again: () => Promise<void>;
  /** Drops what the last pass left behind, so that no pass is charged for another's rubbish. */
  readonly reset?: () => void;
}

/**
 * Runs the work under both recorders, one after the other. The ticker's figures are the reported ones: it is what an
 * application would feel, if by up to a millisecond too kind. The turns are exact, but recording them keeps a core busy that the
 * driver's threads may want: they are written down as the second witness.
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

/** The children run with --expose-gc, so that one phase does not pay for the rubbish of another. */
export function collectGarbage(): void {
  globalThis.gc?.();
}

export function rssMb(): number {
  collectGarbage();
  return process.memoryUsage.rss() / 2 ** 20;
}
