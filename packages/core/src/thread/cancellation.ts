import { types } from "node:util";
import {
  cancel,
  type Control,
  hasBegun,
  insideGroup,
  interruptInside,
  isCommitting,
  isInside,
  isWorking,
  Op,
} from "@sqlite-aio/worker/wire";
import { native } from "@sqlite-aio/worker";
import { interrupted } from "../errors/rejection.js";
import { type Call, Stage } from "./call.js";
import { after } from "./event-loop.js";
import type { Pipeline } from "./pipeline.js";

/** A statement that an interrupt has not stopped after this many ms goes on without its caller. */
const STUBBORN_MS = 100;
/** One that may write: its caller would not learn whether it has. */
const STUBBORN_WRITE_MS = 2000;

/** A statement is stopped that has held up those in its transaction for one to two times so many ms. */
const GROUP_TICK_MS = 25;

/** What is asked while a statement runs, and every how many ms. */
export interface Progress {
  readonly handler: () => unknown;
  readonly ms: number;
}

/** Gives up calls: those that have not begun never do, and what is running is stopped where that can be done. */
export class Cancellation {
  readonly #pipeline: Pipeline;
  readonly #control: Control;
  #progress: Progress | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #watchesGroups = false;

  constructor(pipeline: Pipeline, control: Control) {
    this.#pipeline = pipeline;
    this.#control = control;
  }

  /**
   * Gives up a call. True if it certainly never runs. With the native companion a running statement is stopped, and
   * the call's own answer tells whether it was in time; else it goes on without its caller, which is rejected at once.
   */
  cancel(call: Call, reason: unknown): boolean {
    if (call.settled) return false;
    if (call.stage === Stage.SENT) {
      const never = this.#mark(call);
      if (never || !(this.#interruptible || isCommitting(this.#control, call.sequence))) {
        if (never) call.reject(reason);
        else call.abandon(reason);
      } else if (call.givenUp === null) {
        call.giveUp(reason);
        this.#interrupt(call, performance.now());
      }
      return never;
    }
    this.#pipeline.withdraw(call);
    call.reject(reason);
    return true;
  }

  /**
   * Gives up the calls sent before `limit` that the thread has not begun. Gives the time when the oldest of the others
   * was sent, null if there is none.
   */
  expire(limit: number, reason: () => unknown): number | null {
    let oldest: number | null = null;
    for (const call of this.#pipeline.underWay.filter((other) => other !== this.#pipeline.head)) {
      const sent = call.stage === Stage.SENT;
      if (call.settled || call.essential || (sent && hasBegun(this.#control, call.sequence))) continue;
      if (call.queuedAt >= limit) oldest = Math.min(oldest ?? call.queuedAt, call.queuedAt);
      else if (!sent) this.cancel(call, reason());
      else {
        // Should it begin at this very moment, its answer tells.
        if (call.givenUp === null) call.giveUp(reason());
        if (this.#mark(call)) call.reject(call.givenUp?.reason);
      }
    }
    return oldest;
  }

  /**
   * Takes back the statements that wait behind the call that the thread is at. Not those with memory that was handed over
   * to it: they could not be sent again.
   */
  recall(reason: unknown): void {
    for (const call of this.#pipeline.underWay.filter((other) => other !== this.#pipeline.head)) {
      const again = call.code === Op.QUERY && !call.fields.some((field) => types.isUint8Array(field));
      if (!again || call.settled || call.givenUp !== null || call.essential || call.repeated) continue;
      if (call.stage !== Stage.SENT) this.cancel(call, reason);
      else if (!hasBegun(this.#control, call.sequence)) {
        call.recall(reason);
        if (this.#mark(call)) call.reject(reason);
      }
    }
  }

  /** Asks the thread to leave a call alone, or to wait no longer for a lock with it; the call's own answer tells. */
  discourage(call: Call): void {
    if (call.stage === Stage.SENT) this.#mark(call);
    else this.cancel(call, interrupted);
  }

  get progress(): Progress | null {
    return this.#progress;
  }

  /** Calls a handler every so often while the thread runs something; truthy stops that. Null removes it. */
  setProgress(progress: Progress | null): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#progress = progress;
    if (progress === null) return;
    const { handler, ms } = progress;
    this.#ticker = setInterval(() => {
      const call = this.#pipeline.head;
      // One that is about to stop is not asked about again.
      if (call === undefined || call.essential || call.cancelled) return;
      if (!isInside(this.#control, call.sequence)) return;
      let stops = true;
      try {
        stops = Boolean(handler());
      } catch {
        // As in CPython, a handler that throws stops the statement.
      }
      if (stops) this.cancel(call, interrupted);
    }, ms).unref();
  }

  /** Gives up everything that is waiting or running, but for what must run. */
  cancelAll(reason: unknown): void {
    for (const call of this.#pipeline.underWay) {
      if (!call.essential) this.cancel(call, reason);
      else if (call.begins) this.discourage(call);
    }
  }

  /**
   * While calls are under way: stops a statement that others wait for in whose transaction it runs. The thread then runs
   * those without it, and it by itself.
   */
  watchGroups(): void {
    if (this.#watchesGroups || !this.#interruptible) return;
    this.#watchesGroups = true;
    let seen = 0;
    const look = (): void => {
      const inside = insideGroup(this.#control);
      if (inside !== 0 && inside === seen)
        interruptInside(this.#control, inside, () => native?.interrupt(this.#token));
      seen = inside;
      if (this.#pipeline.head === undefined) this.#watchesGroups = false;
      else after(GROUP_TICK_MS, look);
    };
    after(GROUP_TICK_MS, look);
  }

  /** Gives up what the thread is running at this moment, but for what must run; what waits goes on waiting. */
  cancelRunning(reason: unknown): void {
    const inside = ({ stage, sequence }: Call): boolean =>
      stage === Stage.SENT && isInside(this.#control, sequence);
    const call = this.#pipeline.underWay.find(inside);
    if (call === undefined) return;
    if (!call.essential) this.cancel(call, reason);
    else if (call.begins) this.discourage(call);
  }

  /** Stops what the thread is running, again and again until the function that it gives is called. */
  hammer(): () => void {
    if (!this.#interruptible) return () => {};
    const strike = (): void => void native?.interrupt(this.#token);
    const timer = setInterval(strike, 5);
    strike();
    return () => clearInterval(timer);
  }

  /** Stops what the thread is running. False if it is running nothing, or nothing can be done. */
  strike(): boolean {
    if (!this.#interruptible || !isWorking(this.#control)) return false;
    native?.interrupt(this.#token);
    return true;
  }

  /** The thread is gone. */
  stop(): void {
    clearInterval(this.#ticker);
  }

  get #interruptible(): boolean {
    return native !== null && this.#token !== 0;
  }

  get #token(): number {
    return this.#control.token[0]!;
  }

  /**
   * Interrupts the operation if the thread is inside it, again and again until it ends: one that meets the engine
   * just before the statement starts has no effect.
   */
  #interrupt(call: Call, since: number): void {
    if (call.finished) return;
    interruptInside(this.#control, call.sequence, () => native?.interrupt(this.#token));
    const waited = performance.now() - since;
    const stubborn = waited > (onlyReads(call) ? STUBBORN_MS : STUBBORN_WRITE_MS);
    if (stubborn && !call.settled && !isCommitting(this.#control, call.sequence)) {
      // Not inside SQLite: in a function, or in a call that knows no interrupt.
      call.abandon(call.givenUp?.reason);
    }
    setTimeout(() => this.#interrupt(call, since), Math.min(20, 1 + waited / 4));
  }

  #mark(call: Call): boolean {
    call.markCancelled();
    return cancel(this.#control, call.sequence);
  }
}

function onlyReads(call: Call): boolean {
  return call.code === Op.FETCH || call.statement?.facts.onlyReads === true;
}
