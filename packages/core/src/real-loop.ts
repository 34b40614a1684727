import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers";

const readClock = performance.now;
const immediately = setImmediate;
const soon = queueMicrotask;
const { nextTick } = process;

// The loop and its clock as they are. Tests put fake ones in place of the globals, or take them away (vitest, Jest, Sinon);
// a thread answers in its own time all the same, and its caller must not wait for a fake.

/** Milliseconds. */
export function now(): number {
  return readClock.call(performance);
}

/** Runs `work` when the loop has turned. */
export function onTurn(work: () => void): void {
  immediately(work);
}

/** Runs `work` after the microtasks that are queued now, and after those that they queue. */
export function atEndOfTick(work: () => void): void {
  soon(() => nextTick(work));
}
