import type { Phase } from "./measure.ts";
import type { Answer } from "./questions.ts";
import type { Served } from "./visits.ts";

/** What one driver did with the flights: plain data, so that it can cross from a child process. */
export interface Outcome {
  readonly load: Phase;
  readonly ask: Phase;
  /** The questions once more, in a server that a visitor asks for single flights. */
  readonly serve: Served;
  readonly iterate: Phase;
  readonly answers: readonly Answer[];
  readonly longestStreak: number;
}

/** What all programs are told: which file to make, and how many flights to read at most. */
export interface Task {
  readonly database: string;
  readonly limit: number;
}
