import { cpus } from "node:os";
import { performance } from "node:perf_hooks";

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

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}
