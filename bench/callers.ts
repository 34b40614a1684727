import { setImmediate as turn } from "node:timers/promises";
import type { Eventually } from "./driver.ts";
import { quantile, sorted } from "./statistics.ts";

export interface Load<Answer> {
  readonly callers: number;
  readonly blocks: boolean;
  readonly ask: (caller: number) => Eventually<Answer>;
  /** Throws if the answer does not fit the caller's question. */
  readonly check: (answer: Answer, caller: number) => void;
}

/** A blocking driver gives the event loop a turn when a tick's callers are answered and this much time has passed. */
const TURN_AFTER_MS = 1;

export class Latencies {
  #values = new Float64Array(1 << 16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = milliseconds;
  }

  quantiles(...shares: readonly number[]): readonly number[] {
    const ordered = sorted(this.#values.subarray(0, this.#count));
    return shares.map((share) => quantile(ordered, share));
  }
}

/** Keeps `callers` calls waiting for `durationMs`: each caller asks again as soon as it is answered. */
export function drive<Answer>(
  load: Load<Answer>,
  durationMs: number,
  latencies = new Latencies(),
): Promise<Latencies> {
  const deadline = performance.now() + durationMs;
  return load.blocks ? inTurns(load, deadline, latencies) : closedLoop(load, deadline, latencies);
}

async function closedLoop<Answer>(
  { callers, ask, check }: Load<Answer>,
  deadline: number,
  latencies: Latencies,
): Promise<Latencies> {
  const caller = async (number: number): Promise<void> => {
    for (let start = performance.now(); start < deadline; ) {
      check(await ask(number), number);
      const end = performance.now();
      latencies.add(end - start);
      start = end;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  return latencies;
}

/**
 * Callers that ask in the same tick are answered one after the other, and each has waited since the tick began. Without
 * turns in between, the loop would stand still for the whole trial, which no server would do.
 */
async function inTurns<Answer>(
  { callers, ask, check }: Load<Answer>,
  deadline: number,
  latencies: Latencies,
): Promise<Latencies> {
  let now = performance.now();
  while (now < deadline) {
    const turnAt = now + TURN_AFTER_MS;
    while (now < turnAt) {
      const start = now;
      for (let caller = 0; caller < callers; caller++) {
        const answer = ask(caller);
        check(answer instanceof Promise ? await answer : answer, caller);
        now = performance.now();
        latencies.add(now - start);
      }
    }
    await turn();
    now = performance.now();
  }
  return latencies;
}
