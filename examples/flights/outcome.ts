import type { Phase } from "./measure.ts";
import type { Answer } from "./questions.ts";
import type { Served } from "./visits.ts";

/** The results of one driver: plain data, so that it can cross from a child process. */
export interface Outcome {
  readonly load: Phase;
  readonly ask: Phase;
  /** The questions again, in a server from which a visitor requests single flights. */
  readonly serve: Served;
  readonly iterate: Phase;
  readonly answers: readonly Answer[];
  readonly longestStreak: number;
}

/** The input of all programs: which file to make, and the maximum number of flights to read. */
export interface Task {
  readonly database: string;
  readonly limit: number;
}
