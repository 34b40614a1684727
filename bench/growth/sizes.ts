/** 10, 100, 1,000: from the one to the other. */
export function powersOfTen(from: number, to: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = from; size <= to; size *= 10) sizes.push(size);
  return sizes;
}

/** The time of one unit, and the most memory that the process has had. */
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
