import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";

/** How long a piece of work took, and the longest time for which it blocked the main loop. */
export interface Phase {
  readonly rows: number;
  readonly seconds: number;
  readonly stallMs: number;
}

/**
 * Runs `work` and measures the main loop with a timer of 1 ms, so an idle loop shows a stall of a little over 1 ms.
 * `work` resolves to the number of rows it processed.
 */
export async function measure(work: () => Promise<number>): Promise<Phase> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  // The histogram counts from its timer's first tick, and sees a stall at the tick after it.
  await wait(10);
  const start = performance.now();
  const rows = await work();
  const seconds = (performance.now() - start) / 1000;
  await wait(10);
  delays.disable();
  return { rows, seconds, stallMs: delays.max / 1e6 };
}
