import type { Environment } from "./environment.ts";
import type { Probe } from "./job.ts";
import type { Effort, Metrics } from "./measure.ts";
import { type Summary, summarize } from "./statistics.ts";

/** All results of a run, as written to results.json. */
export interface Results {
  readonly mode: "full" | "quick";
  readonly rounds: number;
  readonly effort: Effort;
  readonly seconds: number;
  readonly environment: Environment;
  readonly drivers: readonly DriverResult[];
  /** The recorders' figures for an idle process. */
  readonly baseline: Readonly<Record<string, Summary>>;
  readonly trials: readonly TrialResult[];
}

export interface DriverResult {
  readonly name: string;
  readonly title: string;
  readonly usage: string;
  /** Whether its queries run on the calling thread. */
  readonly blocks: boolean;
  readonly probe?: Probe;
  /** Why the driver was left out. */
  readonly skipped?: string;
}

export interface TrialResult {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly columns: readonly string[];
  readonly drivers: readonly TrialEntry[];
}

export interface TrialEntry {
  readonly driver: string;
  readonly metrics: Readonly<Record<string, Summary>>;
  readonly failures: readonly string[];
}

/** Summarizes one driver's rounds of one trial, metric by metric. */
export function combine(rounds: readonly Metrics[]): Readonly<Record<string, Summary>> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, summarize(rounds.map((round) => round[name] ?? Number.NaN))]),
  );
}

export function medianOf(
  results: Results,
  trial: string,
  driver: string,
  metric: string,
): number | undefined {
  const entry = results.trials
    .find(({ name }) => name === trial)
    ?.drivers.find((candidate) => candidate.driver === driver);
  return entry?.metrics[metric]?.median;
}
