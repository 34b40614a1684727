export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: readonly number[];
}

export function summarize(rounds: readonly number[]): Summary {
  const ordered = sorted(rounds);
  return {
    median: median(ordered),
    min: ordered[0] ?? Number.NaN,
    max: ordered.at(-1) ?? Number.NaN,
    rounds,
  };
}

export function sorted(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).toSorted();
}

/** The nearest-rank quantile of sorted values; 0 if there are none. */
export function quantile(ordered: Float64Array, share: number): number {
  return ordered[Math.min(ordered.length - 1, Math.ceil(ordered.length * share) - 1)] ?? 0;
}

function median(ordered: Float64Array): number {
  const middle = ordered.length >> 1;
  const upper = ordered[middle] ?? Number.NaN;
  return ordered.length % 2 === 1 ? upper : ((ordered[middle - 1] ?? Number.NaN) + upper) / 2;
}
