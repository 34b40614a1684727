/** Powers of ten (10, 100, 1,000) from `from` to `to`. */
export function powersOfTen(from: number, to: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = from; size <= to; size *= 10) sizes.push(size);
  return sizes;
}

/** Measures the time of one unit and the process's peak memory. */
export async function timed(
  units: number,
  work: () => Promise<void>,
): Promise<{ unitUs: number; wallMs: number; peakRssMb: number }> {
  const start = performance.now();
  await work();
  const wallMs = performance.now() - start;
  return {
    unitUs: (wallMs * 1_000) / units,
    wallMs,
    peakRssMb: process.resourceUsage().maxRSS / 1_024,
  };
}
