import { now, onTurn } from "./event-loop.js";

/**
 * How long the main loop is kept turning for an answer. A parked loop takes 50 to 100 us to wake up, longer than a
 * point read; a turning one sees the answer at once. Timers, I/O and other callbacks run in every turn.
 */
const SPIN_MS = 0.2;
/** For so long each turn looks for the answer: a turn of the loop takes some microseconds, a read by key not many more. */
const LOOK_MS = 0.01;
/** So many answers that came too late, and the loop parks until one comes soon again. */
const MAX_MISSES = 4;
/** Of so many times that it parks at once, it turns once all the same: two sides that park never see soon answers. */
const TRY_EVERY = 32;

/** What keeps the loop turning, for all channels of the process. */
let turnUntil = 0;
let turning = false;
const waiting: SpinWait[] = [];

function turn(): void {
  const until = now() + LOOK_MS;
  while (!waiting.some(hasAnswer) && now() < until);
  if (waiting.length > 0 && now() < turnUntil) onTurn(turn);
  else turning = false;
}

function hasAnswer(spinWait: SpinWait): boolean {
  return spinWait.look();
}

function stopWaiting(spinWait: SpinWait): void {
  const at = waiting.indexOf(spinWait);
  const last = waiting.pop()!;
  if (last !== spinWait) waiting[at] = last;
}

/** Keeps the main loop turning while the answer of one channel is due, as long as that has been paying off. */
export class SpinWait {
  #misses = 0;
  #skipped = 0;
  #counted = false;
  /** Hands over the answer if it is there. */
  readonly look: () => boolean;

  constructor(look: () => boolean) {
    this.look = look;
  }

  /** A call was posted at `at`, and none was under way. */
  posted(at: number): void {
    if (this.#misses >= MAX_MISSES && ++this.#skipped % TRY_EVERY !== 0) return;
    this.#counted = true;
    waiting.push(this);
    turnUntil = at + SPIN_MS;
    if (turning) return;
    turning = true;
    onTurn(turn);
  }

  /** An answer came after `ms`, with `calls` more under way. */
  answered(ms: number, calls: number): void {
    if (this.#counted && calls === 0) {
      this.#counted = false;
      stopWaiting(this);
    }
    if (ms > SPIN_MS) this.#misses = Math.min(MAX_MISSES, this.#misses + 1);
    else this.#misses = 0;
  }

  /** The thread died. */
  gone(): void {
    if (this.#counted) stopWaiting(this);
    this.#counted = false;
  }
}
