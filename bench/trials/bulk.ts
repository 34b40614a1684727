import { costOf, type Metrics, stallsOf } from "../measure.ts";
import { quantile, sorted } from "../statistics.ts";

export interface BulkWork {
  /** One long call. Its numbers start at 0 and include the warm-up. */
  readonly work: (number: number) => Promise<void>;
  readonly repeats: number;
  readonly warmUp?: boolean;
  /** Duration of the warm-up, at least one call: the compiler and the heap need several rounds to settle. */
  readonly warmUpMs?: number;
  /** Maximum number of warm-up calls. */
  readonly most?: number;
  readonly reset?: () => void;
}

/** A longer call is timed once per process. Its spread comes from the rounds. */
const LONG_MS = 1_000;

/** Times one long call alone, `repeats` times if it is short enough. */
export async function timeBulk({
  work,
  repeats,
  warmUp = true,
  warmUpMs = 0,
  most = Number.POSITIVE_INFINITY,
  reset,
}: BulkWork): Promise<Metrics> {
  let number = 0;
  const next = (): Promise<void> => work(number++);
  const warm = warmUp ? await costOf(next) : undefined;
  for (let spent = warm?.wallMs ?? warmUpMs, calls = 1; spent < warmUpMs && calls < most; calls++)
    spent += (await costOf(next)).wallMs;
  const walls: number[] = [];
  let cpuMs = 0;
  const stalls = await stallsOf({
    repeats: warm && warm.wallMs > LONG_MS ? 1 : repeats,
    timed: async () => {
      const cost = await costOf(next);
      walls.push(cost.wallMs);
      cpuMs += cost.cpuMs;
    },
    again: next,
    ...(reset && { reset }),
  });
  return { ...stalls, wallMs: quantile(sorted(walls), 0.5), cpuSeconds: cpuMs / walls.length / 1_000 };
}

export const BULK_COLUMNS: readonly string[] = [
  "wallMs",
  "stallMs",
  "longestStallMs",
  "longestPauseMs",
  "stallP99Ms",
  "cpuSeconds",
  "peakRssMb",
];
