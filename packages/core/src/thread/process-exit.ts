/** Maximum milliseconds at process exit for stopping statements. */
const PATIENCE_MS = 100;

/** Maximum milliseconds for which the end of a thread, or of the process, waits until the thread has loaded its engine. */
export const LOADING_MS = 1000;

/** What is called at exit, with its maximum milliseconds. */
const strikes = new Map<() => boolean, number>();
let listening = false;

/**
 * Calls `strike` repeatedly at process exit, until it returns false or `patience` ms have passed. Node waits for each
 * thread, and so for its present native call. Returns a function that removes it.
 */
export function strikeAtExit(strike: () => boolean, patience = PATIENCE_MS): () => void {
  strikes.set(strike, patience);
  if (!listening) {
    listening = true;
    process.on("exit", strikeAll);
  }
  return () => strikes.delete(strike);
}

function strikeAll(): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let ms = 0; ; ms++) {
    const busy = [...strikes].filter(([strike, patience]) => ms < patience && strike());
    if (busy.length === 0) return;
    Atomics.wait(pause, 0, 0, 1);
  }
}
