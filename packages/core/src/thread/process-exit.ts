/** Maximum milliseconds at process exit for stopping statements. */
const PATIENCE_MS = 100;

const strikes = new Set<() => boolean>();
let listening = false;

/**
 * Calls `strike` repeatedly at process exit, until it returns false. Node waits for each thread, and so for its present
 * native call. Returns a function that removes it.
 */
export function strikeAtExit(strike: () => boolean): () => void {
  strikes.add(strike);
  if (!listening) {
    listening = true;
    process.on("exit", strikeAll);
  }
  return () => strikes.delete(strike);
}

function strikeAll(): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let ms = 0; ms < PATIENCE_MS; ms++) {
    const busy = [...strikes].filter((strike) => strike());
    if (busy.length === 0) return;
    Atomics.wait(pause, 0, 0, 1);
  }
}
