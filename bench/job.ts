import type { Effort, Metrics } from "./measure.ts";

/** Messages between the command and a child process: plain data, sent over the child's channel. */
export type Job =
  | { readonly kind: "probe"; readonly driver: string }
  | { readonly kind: "baseline"; readonly effort: Effort }
  | { readonly kind: "growth"; readonly driver: string; readonly series: string; readonly size: number }
  | { readonly kind: "trial"; readonly driver: string; readonly trial: string; readonly effort: Effort };

export type Answer =
  | { readonly kind: "metrics"; readonly metrics: Metrics }
  | { readonly kind: "probe"; readonly probe: Probe }
  | { readonly kind: "failed"; readonly message: string };

/** What an open driver reports about itself, to prove that the stated settings are in effect. */
export interface Probe {
  readonly packages: Readonly<Record<string, string>>;
  readonly sqlite: string;
  readonly journalMode: string;
  readonly synchronous: string;
}
