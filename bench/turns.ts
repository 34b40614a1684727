import { setImmediate as turn } from "node:timers/promises";

const WORTH_KEEPING_MS = 0.05;

export interface TurnReport {
  readonly longestMs: number;
  /** 99th percentile of the time that a callback, due at a random moment, waits for its turn. */
  readonly waitP99Ms: number;
}

/**
 * Times every turn of the main loop by requesting the next one each time. It is exact, while the 1 ms ticker samples.
 * But it keeps the loop awake, so it runs in a pass of its own whose speed is not reported.
 */
export class TurnRecorder {
  #turns: number[] = [];
  #started = 0;
  #last = 0;
  #running = false;

  async start(): Promise<void> {
    await turn();
    this.#turns = [];
    this.#running = true;
    this.#started = this.#last = performance.now();
    setImmediate(this.#turn);
  }

  async stop(): Promise<TurnReport> {
    await turn();
    await turn();
    this.#running = false;
    return {
      longestMs: this.#turns.reduce((most, length) => Math.max(most, length), 0),
      waitP99Ms: waitQuantile(this.#turns, this.#last - this.#started, 0.99),
    };
  }

  readonly #turn = (): void => {
    const now = performance.now();
    const length = now - this.#last;
    if (length >= WORTH_KEEPING_MS) this.#turns.push(length);
    this.#last = now;
    if (this.#running) setImmediate(this.#turn);
  };
}

/**
 * A random moment falls into a turn with a probability proportional to the turn's length, and then waits for the rest
 * of the turn. Turns that are too short to be kept count as no wait.
 */
function waitQuantile(turns: readonly number[], totalMs: number, share: number): number {
  let low = 0;
  let high = turns.reduce((most, length) => Math.max(most, length), 0);
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    const waitingLonger = turns.reduce((sum, length) => sum + Math.max(0, length - middle), 0) / totalMs;
    if (waitingLonger > 1 - share) low = middle;
    else high = middle;
  }
  return high;
}
