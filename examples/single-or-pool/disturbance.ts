import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";

/** Measures how many cores other processes use, because these cores are missing in a measurement. */
export class Disturbance {
  readonly #began = performance.now();
  readonly #all = busyMs();
  readonly #own = process.cpuUsage();

  /** Average number of cores that other processes have used so far. */
  get cores(): number {
    const { user, system } = process.cpuUsage(this.#own);
    const others = busyMs() - this.#all - (user + system) / 1000;
    // Never below zero: the two times come from different clocks.
    return Math.max(0, others / (performance.now() - this.#began));
  }
}

/** Cores that other processes may use in a quiet moment. */
const QUIET = 0.15;

const PROBE_MS = 100;

/**
 * Takes a result several times and returns the one that other processes disturbed least. Waits for a quiet moment
 * before each, and repeats until one was quiet to the end, for `patienceMs` in all.
 */
export async function leastDisturbed<T extends { readonly disturbedBy: number }>(
  patienceMs: number,
  take: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  let best: T | undefined;
  do {
    while (performance.now() < deadline) {
      const probe = new Disturbance();
      await wait(PROBE_MS);
      if (probe.cores <= QUIET) break;
    }
    const next = await take();
    if (best === undefined || next.disturbedBy < best.disturbedBy) best = next;
  } while (best.disturbedBy > QUIET && performance.now() < deadline);
  return best;
}

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}
