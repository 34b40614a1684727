import type { Phase } from "./measure.ts";
import type { Answer } from "./questions.ts";

/** What one driver did with the flights: plain data, so that it can cross from a child process. */
export interface Outcome {
  readonly load: Phase;
  readonly ask: Phase;
  readonly iterate: Phase;
  readonly answers: readonly Answer[];
  readonly longestStreak: number;
}

/** What both programs are told: which file to make, and how many flights to read at most. */
export interface Task {
  readonly database: string;
  readonly limit: number;
}
