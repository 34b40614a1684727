import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { quantile, sorted } from "./statistics.ts";

const PERIOD_MS = 1;
const SETTLE_MS = 5;

export interface TickerReport {
  /** The longest time between two ticks, less what two ticks are apart on an idle loop. */
  readonly longestMs: number;
  /** How late the 99th of 100 ticks came, counting each tick that was due while the loop stood. */
  readonly latenessP99Ms: number;
  /** The longest delay Node's own histogram saw, as a second witness. */
  readonly histogramMaxMs: number;
  readonly idleP99Ms: number;
}

/**
 * A 1 ms timer on the main loop: what an application's own timers see while queries run.
 * A recorder that stayed busy would keep the loop awake and so speed up the drivers it is to judge.
 */
export class Ticker {
  #gaps: number[] = [];
  #last = 0;
  #timer: NodeJS.Timeout | undefined;
  #histogram: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #idleGapMs = PERIOD_MS;
  #idleP99Ms = 0;

  /** Watches the idle loop first: a timer is late by itself, by an amount that differs between machines. */
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
    // The histogram measures from its last tick, and resetting it forgets that: without a tick more it would miss a first stall.
    await delay(SETTLE_MS);
    this.#gaps = [];
  }

  async stop(): Promise<TickerReport> {
    // A stretch that ends with the measured work is recorded by the first tick after it.
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

/** A stall of 80 ms makes 80 ticks late, not one: the ticks that never ran are put back before the quantile is taken. */
function latenessP99(gaps: readonly number[]): number {
  const lateness: number[] = [];
  for (const gap of gaps) {
    lateness.push(Math.max(0, gap - PERIOD_MS));
    for (let late = gap - 2 * PERIOD_MS; late > 0; late -= PERIOD_MS) lateness.push(late);
  }
  return quantile(sorted(lateness), 0.99);
}
