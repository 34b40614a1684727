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
  readonly say: (line: string) => void;
}

type Measured = Pick<Results, "baseline" | "trials">;

/**
 * Goes through all trials and drivers once a round, one process at a time: whatever else the machine does meanwhile falls on
 * every driver alike, and no driver has its rounds side by side. Every other round takes the drivers backwards.
 */
export async function runAll({ trials, drivers, rounds, effort, say }: Plan): Promise<Measured> {
  const tallies = trials.map((trial) => ({
    trial,
    entries: drivers.filter((driver) => takesPart(trial, driver)).map((driver) => new Tally(driver)),
  }));
  const idle: Metrics[] = [];
  for (let round = 0; round < rounds; round++) {
    const answer = await launch({ kind: "baseline", effort }, LIMIT_MS);
    if (answer.kind === "metrics") idle.push(answer.metrics);
    for (const { trial, entries } of tallies) {
      if (round >= (trial.maxRounds ?? rounds)) continue;
      const start = performance.now();
      for (const tally of round % 2 === 0 ? entries : entries.toReversed()) {
        await tally.measure(trial, effort, say);
      }
      say(
        `round ${round + 1}/${rounds}  ${trial.name.padEnd(18)} ${((performance.now() - start) / 1_000).toFixed(1)} s`,
      );
    }
  }
  const results = tallies.map(({ trial: { name, title, description, columns }, entries }) => ({
    name,
    title,
    description,
    columns,
    drivers: entries.map((tally) => tally.result()),
  }));
  return { baseline: combine(idle), trials: results };
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
