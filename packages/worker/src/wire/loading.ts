/**
 * Keeps a thread from being ended while it loads native code. Node stops a thread between any two steps of a native
 * module's initialization, and better-sqlite3 then ends the whole process with "FATAL ERROR: Error::New".
 */
const FREE = 0;
const LOADING = 1;
const ENDED = 2;

/** A word that the thread and the side that ends it share. */
export type Loading = Int32Array<SharedArrayBuffer>;

export function createLoading(): Loading {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Thread: runs `load`, which may load native code. Does not return if the thread is being ended. */
export async function whileLoading<T>(loading: Loading, load: () => Promise<T>): Promise<T> {
  if (Atomics.compareExchange(loading, 0, FREE, LOADING) === ENDED) Atomics.wait(loading, 0, ENDED);
  try {
    return await load();
  } finally {
    Atomics.compareExchange(loading, 0, LOADING, FREE);
    Atomics.notify(loading, 0);
  }
}

/** Other side: whether the thread can be ended now. If so, it begins to load nothing more. */
export function mayEnd(loading: Loading): boolean {
  return Atomics.compareExchange(loading, 0, FREE, ENDED) !== LOADING;
}

/** Other side: resolves when the thread can be ended, or after `ms` milliseconds. */
export async function untilLoaded(loading: Loading, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!mayEnd(loading)) {
    const left = deadline - performance.now();
    if (left <= 0) return;
    await Atomics.waitAsync(loading, 0, LOADING, left).value;
  }
}
