import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers";

const readClock = performance.now;
const immediately = setImmediate;
const later = setTimeout;
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

/** Runs `work` after `ms` milliseconds, if the process is still there. */
export function after(ms: number, work: () => void): void {
  later(work, ms).unref();
}

/** Runs `work` after the microtasks that are queued now, and after those that they queue. */
export function atEndOfTick(work: () => void): void {
  soon(() => nextTick(work));
}

/** For so long messages are worked on before timers, I/O and other callbacks get their turn. */
const HOLD_MS = 0.5;

/** When the work on messages began in the present turn of the loop, for all threads; 0 if it has not. */
let began = 0;

/**
 * Whether the present turn of the loop has been held by messages long enough. Called for each: Node hands up to a
 * thousand of a port to their listener before the loop turns, and a thread that answers, or asks, as fast as it is
 * answered would keep timers and sockets waiting all that while.
 */
export function held(): boolean {
  const at = now();
  if (began !== 0) return at - began > HOLD_MS;
  began = at;
  onTurn(() => (began = 0));
  return false;
}
