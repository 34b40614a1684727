import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers";

const readClock = performance.now;
const immediately = setImmediate;
const later = setTimeout;
const soon = queueMicrotask;
const { nextTick } = process;

// The real event loop and clock, captured at load time. Tests replace or remove the globals (vitest, Jest, Sinon). A
// thread answers in real time anyway, and its caller must not wait for a fake.

/** Milliseconds. */
export function now(): number {
  return readClock.call(performance);
}

/** Runs `work` in the next turn of the event loop. */
export function onTurn(work: () => void): void {
  immediately(work);
}

/** Runs `work` after `ms` milliseconds. Does not keep the process alive. */
export function after(ms: number, work: () => void): void {
  later(work, ms).unref();
}

/** Runs `work` after the queued microtasks, and those that they queue. */
export function atEndOfTick(work: () => void): void {
  soon(() => nextTick(work));
}

/** Milliseconds that messages may be processed before timers, I/O and other callbacks get their turn. */
const HOLD_MS = 0.5;

/** When the processing of messages began in this turn of the loop, for all threads; 0 if it has not. */
let began = 0;

/**
 * Whether this turn of the loop has processed messages for long enough. Called for each message: Node delivers up to a
 * thousand messages of a port before the loop turns. A thread that answers or asks as fast as it is answered would keep
 * timers and sockets waiting all that time.
 */
export function held(): boolean {
  const at = now();
  if (began !== 0) return at - began > HOLD_MS;
  began = at;
  onTurn(() => (began = 0));
  return false;
}
