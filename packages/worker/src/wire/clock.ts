/** `performance.now()` counts from the start of its own thread; hrtime is the same clock for all of them. */
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** A `performance.now()` of this thread as a time that all threads of the process mean the same by, in ms. */
export function shared(now: number): number {
  return now + offset;
}
