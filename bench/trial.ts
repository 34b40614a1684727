import type { DatasetName } from "./datasets.ts";
import type { Capability, Driver, Session, Settings } from "./driver.ts";
import type { Effort, Metrics } from "./measure.ts";

export interface TrialContext {
  readonly driver: Driver;
  readonly file: string;
  readonly effort: Effort;
  /** Opens another session on the trial's database. The child closes it after the trial. */
  readonly open: () => Promise<Session>;
}

export interface Trial {
  readonly name: string;
  readonly title: string;
  /** One sentence that lets a reader repeat the trial. */
  readonly description: string;
  readonly dataset: DatasetName;
  /** A trial that writes gets a copy of the dataset. */
  readonly writes: boolean;
  readonly settings: Settings;
  readonly needs: readonly Capability[];
  /** Runs only these drivers. */
  readonly drivers?: readonly string[];
  /** Also runs these drivers. */
  readonly alsoDrivers?: readonly string[];
  readonly maxRounds?: number;
  /** Options of Node for the process, the same for all drivers. */
  readonly nodeOptions?: readonly string[];
  /** The metrics of the trial's table; the chart shows the first. */
  readonly columns: readonly string[];
  run(context: TrialContext): Promise<Metrics>;
}

export function takesPart(trial: Trial, driver: Driver): boolean {
  if (!trial.needs.every((need) => driver.capabilities.includes(need))) return false;
  if (trial.drivers) return trial.drivers.includes(driver.name);
  return !driver.onlyWhenNamed || (trial.alsoDrivers?.includes(driver.name) ?? false);
}
