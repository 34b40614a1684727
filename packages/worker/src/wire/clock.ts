/**
 * Milliseconds on a clock that all threads of the process share. `performance.now()` does not do: it counts from the
 * start of its own thread.
 */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
