import type { AdaptiveSpin } from "@sqlite-aio/worker/wire";
import { now, onTurn } from "./event-loop.js";

/**
 * How long the main loop is kept turning for an answer. Waking a parked loop takes 50 to 100 us, longer than a point
 * read; a turning loop sees the answer at once. Timers, I/O and other callbacks run in every turn.
 */
const SPIN_MS = 0.2;
/** How long each turn looks for the answer. A turn of the loop takes some microseconds, a read by key not many more. */
const LOOK_MS = 0.01;

/** Where the answers of a thread come. */
export interface Mailbox {
  /** Delivers the next answer, if it is there. */
  look(): boolean;
  /** Whether it is looked for answers in every turn of the loop. The thread may send them another way then. */
  looking: boolean;
}

/** State of the turning loop, shared by all threads. */
let turnUntil = 0;
let turning = false;
const waiting: SpinWait[] = [];

function turn(): void {
  const until = now() + LOOK_MS;
  while (!waiting.some(hasAnswer) && now() < until);
  if (waiting.length > 0 && now() < turnUntil) onTurn(turn);
  else {
    turning = false;
    // What comes now may end a thread that waits.
    for (const { mailbox } of Array.from(waiting)) mailbox.looking = false;
  }
}

function hasAnswer(spinWait: SpinWait): boolean {
  return spinWait.mailbox.look();
}

function stopWaiting(spinWait: SpinWait): void {
  const at = waiting.indexOf(spinWait);
  const last = waiting.pop()!;
  if (last !== spinWait) waiting[at] = last;
  spinWait.mailbox.looking = false;
}

/** Keeps the main loop turning while an answer of one thread is due, as long as that pays off. */
export class SpinWait {
  readonly #spin: AdaptiveSpin;
  #counted = false;
  /** The loop is turning for the next answer. */
  #first = false;
  readonly mailbox: Mailbox;

  /** `spin` knows whether turning pays off with this thread. */
  constructor(mailbox: Mailbox, spin: AdaptiveSpin) {
    this.mailbox = mailbox;
    this.#spin = spin;
  }

  /** Call it when a frame is posted at `at` and none was under way. */
  posted(at: number): void {
    if (!this.#spin.begins()) return;
    this.#counted = this.#first = true;
    waiting.push(this);
    this.mailbox.looking = true;
    turnUntil = at + SPIN_MS;
    if (turning) return;
    turning = true;
    onTurn(turn);
  }

  /** Call it when an answer came after `ms`; `calls` frames are still under way. */
  answered(ms: number, calls: number): void {
    if (this.#counted && calls === 0) {
      this.#counted = false;
      stopWaiting(this);
    }
    if (!this.#first) return;
    this.#first = false;
    this.#spin.ended(ms <= SPIN_MS);
  }

  /** Call it when the thread has died. */
  gone(): void {
    if (this.#counted) stopWaiting(this);
    this.#counted = this.#first = false;
  }
}
