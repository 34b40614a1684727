import type { Driver } from "./driver.ts";
import { launch } from "./launch.ts";
import type { Effort, Metrics } from "./measure.ts";
import { combine, type Results } from "./results.ts";
import { takesPart, type Trial } from "./trial.ts";

const LIMIT_MS = 120_000;

interface Plan {
  readonly trials: readonly Trial[];
  readonly drivers: readonly Driver[];
  readonly rounds: number;
  readonly effort: Effort;
  /** A time of `performance.now()`. A trial's further rounds are left out if its previous duration no longer fits. */
  readonly deadline: number;
  readonly say: (line: string) => void;
  /** Gets the figures so far after each trial, so that a run that ends early leaves its figures. */
  readonly keep: (measured: Measured) => void;
}

export type Measured = Pick<Results, "baseline" | "trials">;

/**
 * Goes through all trials and drivers once per round, one process at a time. So a disturbance of the machine affects
 * all drivers alike, and no driver has its rounds back to back. Every other round takes the drivers in reverse order.
 */
export async function runAll({
  trials,
  drivers,
  rounds,
  effort,
  deadline,
  say,
  keep,
}: Plan): Promise<Measured> {
  const tallies = trials.map((trial) => ({
    trial,
    entries: drivers.filter((driver) => takesPart(trial, driver)).map((driver) => new Tally(driver)),
    tookMs: 0,
  }));
  const idle: Metrics[] = [];
  const soFar = (): Measured => ({
    baseline: combine(idle),
    trials: tallies.map(({ trial: { name, title, description, columns }, entries }) => ({
      name,
      title,
      description,
      columns,
      drivers: entries.map((tally) => tally.result()),
    })),
  });
  for (let round = 0; round < rounds; round++) {
    const answer = await launch({ kind: "baseline", effort }, LIMIT_MS);
    if (answer.kind === "metrics") idle.push(answer.metrics);
    for (const tally of tallies) {
      const { trial, entries, tookMs } = tally;
      if (round >= (trial.maxRounds ?? rounds)) continue;
      const start = performance.now();
      if (round > 0 && start + tookMs > deadline) {
        say(`round ${round + 1}/${rounds}  ${trial.name.padEnd(18)} left out: no time is left`);
        continue;
      }
      for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
        await entry.measure(trial, effort, say);
      }
      tally.tookMs = performance.now() - start;
      say(`round ${round + 1}/${rounds}  ${trial.name.padEnd(18)} ${(tally.tookMs / 1_000).toFixed(1)} s`);
      keep(soFar());
    }
  }
  return soFar();
}

class Tally {
  readonly #driver: Driver;
  readonly #rounds: Metrics[] = [];
  readonly #failures: string[] = [];

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  async measure(trial: Trial, effort: Effort, say: (line: string) => void): Promise<void> {
    const answer = await launch(
      { kind: "trial", driver: this.#driver.name, trial: trial.name, effort },
      LIMIT_MS,
      trial.nodeOptions,
    );
    if (answer.kind === "metrics") this.#rounds.push(answer.metrics);
    else {
      const message = answer.kind === "failed" ? answer.message : "answered another question";
      this.#failures.push(message);
      say(`FAILED  ${this.#driver.name} in ${trial.name}: ${message}`);
    }
  }

  result() {
    return { driver: this.#driver.name, metrics: combine(this.#rounds), failures: this.#failures };
  }
}
