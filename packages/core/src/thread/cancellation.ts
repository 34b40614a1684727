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
import { interrupted, withRollback } from "../errors/rejection.js";
import { type Call, Stage } from "./call.js";
import { after } from "./event-loop.js";
import type { Pipeline } from "./pipeline.js";

/** If an interrupt has not stopped a statement after this many ms, its caller is rejected and the statement goes on. */
const STUBBORN_MS = 100;
/** The same for a call that may keep what it does: longer, because its caller would not learn whether it did. */
const STUBBORN_WRITE_MS = 2000;

/** A statement that delays the others in its group for one to two times this many ms is interrupted. */
const GROUP_TICK_MS = 25;

/** A progress handler, and its interval in ms. */
export interface Progress {
  readonly handler: () => unknown;
  readonly ms: number;
}

/** Cancels calls. Calls that have not begun never run; running ones are interrupted if possible. */
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
   * Cancels a call. True if nothing of it will be kept. With the native companion a running statement is interrupted, and
   * the call's own answer tells whether that was in time. Without it a running statement goes on and its caller is
   * rejected at once: the thread undoes a write. The answer of a write that has ended counts.
   */
  cancel(call: Call, reason: unknown): boolean {
    if (call.settled) return false;
    if (call.stage === Stage.SENT) {
      const never = this.#mark(call);
      if (never && (this.#interruptible || !isInside(this.#control, call.sequence))) call.reject(reason);
      else if (!this.#interruptible && (never || !this.#tells(call))) this.#abandon(call, reason);
      else if (call.givenUp === null) {
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
   * Cancels calls that were sent before `limit` and have not begun. Returns when the oldest of the other calls was
   * sent, null if there is none.
   */
  expire(limit: number, reason: () => unknown): number | null {
    let oldest: number | null = null;
    for (const call of this.#pipeline.underWay.filter((other) => other !== this.#pipeline.head)) {
      const sent = call.stage === Stage.SENT;
      if (call.settled || call.essential || (sent && hasBegun(this.#control, call.sequence))) continue;
      if (call.queuedAt >= limit) oldest = Math.min(oldest ?? call.queuedAt, call.queuedAt);
      else if (!sent) this.cancel(call, reason());
      else {
        // If it begins at this very moment, its answer tells.
        if (call.givenUp === null) call.giveUp(reason());
        if (this.#mark(call)) call.reject(call.givenUp?.reason);
      }
    }
    return oldest;
  }

  /**
   * Takes back statements that wait behind the running call. Statements with transferred memory stay, because they
   * cannot be sent again.
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

  /**
   * Asks the thread to skip a call, to stop waiting for its lock, or to stop between two rows. The call's own answer
   * tells the result. With `interrupts` a running statement is interrupted, if possible.
   */
  discourage(call: Call, interrupts = false): void {
    if (call.stage === Stage.SENT && !(interrupts && this.#interruptible)) this.#mark(call);
    else this.cancel(call, interrupted);
  }

  get progress(): Progress | null {
    return this.#progress;
  }

  /**
   * Calls a handler at intervals while the thread runs something; a truthy result stops the statement. Null removes the
   * handler.
   */
  setProgress(progress: Progress | null): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#progress = progress;
    if (progress === null) return;
    const { handler, ms } = progress;
    this.#ticker = setInterval(() => {
      const call = this.#pipeline.head;
      // The handler is not called for a statement that is being stopped.
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

  /** Cancels everything that waits or runs, except essential calls. */
  cancelAll(reason: unknown): void {
    for (const call of this.#pipeline.underWay) this.#cancelUnlessEssential(call, reason);
  }

  /**
   * While calls are under way, interrupts a statement of a group that the others wait for. The thread then runs the
   * others without it, and runs it by itself.
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

  /** Cancels the running call, unless it is essential. Waiting calls stay. */
  cancelRunning(reason: unknown): void {
    const inside = ({ stage, sequence }: Call): boolean =>
      stage === Stage.SENT && isInside(this.#control, sequence);
    const call = this.#pipeline.underWay.find(inside);
    if (call !== undefined) this.#cancelUnlessEssential(call, reason);
  }

  /** Interrupts the thread's statements repeatedly, until the returned function is called. */
  hammer(): () => void {
    if (!this.#interruptible) return () => {};
    const strike = (): void => void native?.interrupt(this.#token);
    const timer = setInterval(strike, 5);
    strike();
    return () => clearInterval(timer);
  }

  /** Interrupts the running statement. False if nothing is running, or interrupts are not possible. */
  strike(): boolean {
    if (!this.#interruptible || !isWorking(this.#control)) return false;
    native?.interrupt(this.#token);
    return true;
  }

  /** Call it when the thread has ended. */
  stop(): void {
    clearInterval(this.#ticker);
  }

  /** An essential call goes on. One that begins a transaction stops waiting for its lock: then it has this reason. */
  #cancelUnlessEssential(call: Call, reason: unknown): void {
    if (call.essential && !call.begins) return;
    if (!call.essential || call.stage !== Stage.SENT) this.cancel(call, reason);
    else {
      call.giveUp(reason);
      this.#mark(call);
    }
  }

  get #interruptible(): boolean {
    return native !== null && this.#token !== 0;
  }

  get #token(): number {
    return this.#control.token[0]!;
  }

  /**
   * Interrupts the operation while the thread is running it, repeatedly until it ends: an interrupt just before SQLite
   * starts the statement has no effect.
   */
  #interrupt(call: Call, since: number): void {
    if (call.finished) return;
    interruptInside(this.#control, call.sequence, () => native?.interrupt(this.#token));
    const waited = performance.now() - since;
    const stubborn = waited > (keepsNothing(call) ? STUBBORN_MS : STUBBORN_WRITE_MS);
    // If it is running, the thread is not in SQLite, but in a user function, or in a call that ignores interrupts.
    if (stubborn && !call.settled && (onlyReads(call) || !this.#tells(call)))
      this.#abandon(call, call.givenUp?.reason);
    setTimeout(() => this.#interrupt(call, since), Math.min(20, 1 + waited / 4));
  }

  /** Rejects a call that the thread goes on running: nothing that it does is kept, if it can be undone. */
  #abandon(call: Call, reason: unknown): void {
    call.abandon(this.#losesTransaction(call) ? withRollback(reason) : reason);
  }

  /** Whether the answer of a call that has begun is on its way or will be soon, and says if it has written. */
  #tells(call: Call): boolean {
    if (isCommitting(this.#control, call.sequence)) return true;
    return !onlyReads(call) && (controls(call) || !isInside(this.#control, call.sequence));
  }

  /** Whether the transaction of a write is rolled back if the write is given up while it runs. */
  #losesTransaction(call: Call): boolean {
    return call.statement?.facts.undoable === true && (call.needsTransaction || this.#pipeline.inTransaction);
  }

  #mark(call: Call): boolean {
    call.markCancelled();
    return cancel(this.#control, call.sequence);
  }
}

/** It begins or ends a transaction, which nothing undoes. */
function controls(call: Call): boolean {
  return call.code === Op.CONTROL || (call.statement !== null && call.statement.facts.transaction !== null);
}

/** The thread undoes what a call writes that was given up. */
function keepsNothing(call: Call): boolean {
  return onlyReads(call) || (call.code === Op.QUERY && call.statement?.facts.undoable === true);
}

function onlyReads(call: Call): boolean {
  return call.code === Op.FETCH || call.statement?.facts.onlyReads === true;
}
