import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { quantile, sorted } from "./statistics.ts";

const PERIOD_MS = 1;
const SETTLE_MS = 5;

export interface TickerReport {
  /** The longest time between two ticks, minus the time between two ticks of an idle loop. */
  readonly longestMs: number;
  /** 99th percentile of the delay of ticks, including the ticks that were due while the loop was blocked. */
  readonly latenessP99Ms: number;
  /** The longest delay in Node's own histogram, as a second measurement. */
  readonly histogramMaxMs: number;
  readonly idleP99Ms: number;
}

/**
 * A 1 ms timer on the main loop: it shows what an application's timers experience while queries run. A recorder that
 * stayed busy would keep the loop awake and speed up the drivers that it judges.
 */
export class Ticker {
  #gaps: number[] = [];
  #last = 0;
  #timer: NodeJS.Timeout | undefined;
  #histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #idleGapMs = PERIOD_MS;
  #idleP99Ms = 0;

  /** Measures the idle loop first: a timer is always a little late, and the delay differs between machines. */
  async calibrate(durationMs: number): Promise<void> {
    this.#resume();
    await delay(durationMs);
    this.#pause();
    this.#idleGapMs = quantile(sorted(this.#gaps), 0.5);
    this.#idleP99Ms = latenessP99(this.#gaps);
  }

  async start(): Promise<void> {
    this.#resume();
    this.#histogram = monitorEventLoopDelay({ resolution: PERIOD_MS });
    this.#histogram.enable();
    await delay(SETTLE_MS);
    this.#histogram.reset();
    // The histogram measures from its last tick, and a reset forgets that tick. Without one more tick it would miss a
    // first stall.
    await delay(SETTLE_MS);
    this.#gaps = [];
  }

  async stop(): Promise<TickerReport> {
    // A stall at the end of the measured work is recorded by the first tick after it.
    await delay(SETTLE_MS);
    this.#pause();
    this.#histogram?.disable();
    return {
      longestMs: Math.max(0, longest(this.#gaps) - this.#idleGapMs),
      latenessP99Ms: latenessP99(this.#gaps),
      histogramMaxMs: (this.#histogram?.max ?? 0) / 1e6,
      idleP99Ms: this.#idleP99Ms,
    };
  }

  #resume(): void {
    this.#gaps = [];
    this.#last = performance.now();
    this.#timer = setTimeout(this.#tick, PERIOD_MS);
  }

  #pause(): void {
    clearTimeout(this.#timer);
  }

  readonly #tick = (): void => {
    const now = performance.now();
    this.#gaps.push(now - this.#last);
    this.#last = now;
    this.#timer = setTimeout(this.#tick, PERIOD_MS);
  };
}

function longest(gaps: readonly number[]): number {
  return gaps.reduce((most, gap) => Math.max(most, gap), 0);
}

/** A stall of 80 ms delays 80 ticks, not one: the ticks that never ran are added before the quantile is taken. */
function latenessP99(gaps: readonly number[]): number {
  const lateness: number[] = [];
  for (const gap of gaps) {
    lateness.push(Math.max(0, gap - PERIOD_MS));
    for (let late = gap - 2 * PERIOD_MS; late > 0; late -= PERIOD_MS) lateness.push(late);
  }
  return quantile(sorted(lateness), 0.99);
}
