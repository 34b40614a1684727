import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";

/** Watches how much of the machine other processes use, since a core that is not there cannot be measured. */
export class Disturbance {
  readonly #began = performance.now();
  readonly #all = busyMs();
  readonly #own = process.cpuUsage();

  /** How many cores others have kept busy until now, on average. */
  get cores(): number {
    const { user, system } = process.cpuUsage(this.#own);
    const others = busyMs() - this.#all - (user + system) / 1000;
    // The two are not counted by the same clock.
    return Math.max(0, others / (performance.now() - this.#began));
  }
}

/** So many cores others may use in a moment that counts as quiet. */
const QUIET = 0.15;

const PROBE_MS = 100;

/**
 * Gives the one of several results that others disturbed least: waits for a quiet moment before it takes one, and takes
 * it again until it was quiet to the end, for `patienceMs` in all.
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
