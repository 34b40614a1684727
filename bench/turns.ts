import { setImmediate as turn } from "node:timers/promises";

const WORTH_KEEPING_MS = 0.05;

export interface TurnReport {
  readonly longestMs: number;
  /** What a callback that falls due at a random moment waits for its turn, at most, 99 times of 100. */
  readonly waitP99Ms: number;
}

/**
 * Times every turn of the main loop by asking for the next one each time. Exact where the 1 ms ticker is a sample,
 * but it keeps the loop awake: it runs in a pass of its own, whose speed is not reported.
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
 * A moment picked at random falls into a turn in proportion to the turn's length, and then waits for the rest of it.
 * Turns too short to keep count as no wait.
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
