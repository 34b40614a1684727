import { type Operation, startOver, Step } from "../handle/operation.js";
import { FrameReader } from "./frame-reader.js";
import { GroupCommit, isGroupable, type Turns } from "./group-commit.js";
import { LoneWrite } from "./lone-write.js";
import { OwnTransaction } from "./own-transaction.js";
import { Points } from "./points.js";
import { mayShare, SharedRead } from "./shared-read.js";
import type { Session } from "../handle/session.js";
import type { Statement } from "../handle/statement.js";
import { LOCK_CODES } from "../engine/lock-codes.js";
import { sharedNow } from "../wire/clock.js";
import { codeOf } from "../wire/fault.js";
import { begin, beginsLate, closeGroup, type Control, end, isAhead } from "../wire/control-block.js";
import { type Frame, MAX_SPENT, Op, SPENT_SHIFT, Verb } from "../wire/protocol.js";

/** After this many milliseconds finished answers are sent, and the remaining operations run afterwards. */
const SLICE_MS = 1;

/**
 * When half of a frame is answered, the main side can work on it while the thread goes on: 64 callers read 250,000 rows
 * a second by key that way, against 165,000 with one answer per frame.
 */
const MIN_SHARE = 32;

/** Maximum number of statements in one group commit. */
const MAX_GROUP = 512;

/**
 * Runs frames in order. The answer to a frame contains what is finished when one of these happens: about a millisecond
 * has passed, half of a large frame is done, a packet is full, or the next operation is not known to be quick. So a
 * slow operation never holds back earlier answers. The other operations run after the answer has left, and their
 * answers are sent with the reply to the next frame.
 */
export class Scheduler {
  readonly #session: Session;
  readonly #control: Control;
  readonly #reader: FrameReader;
  readonly #sharedRead: SharedRead;
  readonly #groupCommit: GroupCommit;
  readonly #loneWrite: LoneWrite;
  /** Created on first use: allocating its memory takes as long as opening a handle. */
  #points: Points | null = null;
  #current: Operation | null = null;
  /** The current operation has begun, so it is no longer skipped. */
  #begun = false;
  /** Number of the operation that began last. */
  #latest = 0;
  #interrupts = 0;
  /** Position in the reply for the duration of the current operation. */
  #timing = -1;
  /** Maximum number of answers that are sent together, about half of a large frame. */
  #share = MIN_SHARE;
  /** Duration of the next reply's operations in milliseconds, and how many of them have ended. */
  #spent = 0;
  #over = 0;
  /** Operations that run before those of the frames: they have to run again, or are left over from a group. */
  readonly #singles: Operation[] = [];

  constructor(session: Session, control: Control) {
    this.#session = session;
    this.#control = control;
    this.#reader = new FrameReader(session.executor);
    this.#sharedRead = new SharedRead(session, session.executor);
    const own = new OwnTransaction(session);
    const turns: Turns = {
      begin: (operation) => this.#begin(operation),
      end: () => this.#ended(),
      ran: ({ sequence }) => (this.#latest = sequence),
      points: () => this.#takePoints(),
    };
    this.#groupCommit = new GroupCommit(session, control, turns, own);
    this.#loneWrite = new LoneWrite(session, control, own);
  }

  get idle(): boolean {
    return this.#current === null && this.#singles.length === 0 && this.#reader.empty;
  }

  /** SQL is about to call a user function. */
  functionCalled(): void {
    this.#sharedRead.called();
    this.#groupCommit.called();
  }

  /** Takes a frame and works until there is something to answer. */
  run(frame: Frame): { reply: unknown[]; transfer: ArrayBuffer[] } {
    if (frame.length > 0) {
      this.#reader.add(frame);
      // A point read has about eight fields.
      this.#share = Math.max(MIN_SHARE, frame.length >> 4);
    }
    this.proceed();
    const taken = this.#session.takeReply();
    const each = (this.#spent * 1000) / Math.max(1, this.#over);
    taken.reply[0] = (taken.reply[0] as number) | (Math.min(each, MAX_SPENT) << SPENT_SHIFT);
    this.#spent = 0;
    this.#over = 0;
    return taken;
  }

  /** Works until an answer is worth sending, or nothing is left. */
  proceed(): void {
    for (let again = true; again; ) {
      try {
        this.#work();
      } finally {
        again = this.#runAgain(this.#sharedRead.end());
      }
    }
  }

  #work(): void {
    const { out } = this.#session;
    const sharedRead = this.#sharedRead;
    const began = performance.now();
    let now = began;
    let answered = 0;
    for (;;) {
      this.#current ??= this.#singles.shift() ?? this.#reader.next();
      const operation = this.#current;
      if (operation === null) return;
      if (
        !out.empty &&
        (answered >= this.#share || now - began > SLICE_MS || this.#begun || !isQuick(operation))
      )
        return;
      if (!this.#begun) {
        if (this.#runAgain(sharedRead.before(operation, !this.#reader.empty))) continue;
        if (out.isSealed(operation.statement)) return;
        // A group counts as one answer.
        const together =
          this.#together(operation, this.#share - answered) || (this.#group(operation) ? 1 : 0);
        if (together > 0) {
          const after = performance.now();
          this.#spent += after - now;
          answered += together;
          now = after;
          continue;
        }
      }
      const from = operation.timed ? sharedNow() : 0;
      const finished = this.#attempt(operation, now, from);
      const after = performance.now();
      this.#spent += after - now;
      if (operation.timed) this.#ran(operation, sharedNow() - from);
      if (finished) {
        this.#ended();
        if (!sharedRead.under && out.anyRows && !this.#session.handle.inTransaction) out.seal(null);
        answered++;
        this.#over++;
        operation.statement?.spent(after - now);
        this.#current = null;
        this.#begun = false;
      }
      now = after;
    }
  }

  /** True if an interrupt has cost the connection its transaction. */
  #ended(): boolean {
    const interrupts = end(this.#control, this.#latest);
    if (interrupts === this.#interrupts) return false;
    this.#interrupts = interrupts;
    return this.#session.clearInterrupt();
  }

  #ran(operation: Operation, ms: number): void {
    operation.ran += ms;
    if (this.#timing >= 0) this.#session.out.ran(this.#timing, operation.ran);
    this.#timing = -1;
  }

  /** Marks the operation as begun. False if it was cancelled. */
  #begin(operation: Operation): boolean {
    this.#latest = operation.sequence;
    return begin(this.#control, operation.sequence);
  }

  #beginsLate({ sequence }: Operation): void {
    if (!isAhead(sequence, this.#latest)) return;
    const waiting = new Set(this.#singles.map((operation) => operation.sequence));
    beginsLate(this.#control, sequence, this.#latest, (other) => waiting.has(other));
  }

  /** Runs one step of the operation. True if the operation is finished. */
  #attempt(operation: Operation, now: number, from: number): boolean {
    const session = this.#session;
    const first = !this.#begun;
    if (first) {
      operation.begun = from;
      closeGroup(this.#control);
      this.#beginsLate(operation);
      if (operation.skipped || !this.#begin(operation)) {
        // The next batch of the same executemany may begin before the main side can cancel it.
        session.executor.failed(operation);
        session.out.skipped();
        return true;
      }
      this.#begun = true;
    }
    session.lockWait.attempt(operation.sequence, first, now);
    // Skipped for reads, which end no transaction: the check costs as much as a tenth of a point read.
    if (first && operation.statement?.readonly !== true) session.handle.noteTransaction();
    const { mark } = session.out;
    if (operation.timed) this.#timing = session.out.timing(operation.begun);
    try {
      this.#loneWrite.begin(operation);
      const step = session.executor.step(operation);
      this.#loneWrite.end(operation);
      return step === Step.DONE;
    } catch (error) {
      const again = this.#loneWrite.failed(operation, error);
      const traced = session.out.rewind(mark);
      this.#timing = -1;
      if (again) {
        startOver([operation]);
        return false;
      }
      if (this.#runAgain(this.#sharedRead.end())) return false;
      const retries = session.lockWait.mayRetry(error, operation.at);
      // The last one is told of when it is tried again.
      for (const sql of retries ? traced.slice(0, -1) : traced) session.out.trace(sql);
      if (retries) return false;
      if (operation.timed) this.#timing = session.out.timing(operation.begun);
      this.#failed(operation, error);
      return true;
    }
  }

  #failed(operation: Operation, error: unknown): void {
    const session = this.#session;
    session.executor.failed(operation);
    const undone = this.#ended();
    session.counts.wrote();
    session.counts.rowidMayHaveChanged();
    session.out.fault(session.behind(error), {
      // Only for executemany: an error of compiling the statement comes before there is a batch, and belongs to no set.
      ...(operation.batch !== null ? { set: operation.at } : {}),
      ...(undone || (operation.statement?.readonly !== true && session.handle.lostTransaction)
        ? { rolledBack: true }
        : {}),
    });
  }

  /** Runs the operation and similar ones behind it in one transaction. False if the operation has to run alone. */
  #group(first: Operation): boolean {
    const session = this.#session;
    if (first.single || session.handle.inTransaction || !isGroupable(session, first)) return false;
    const group = [first];
    while (group.length < MAX_GROUP) {
      const next = this.#nextIf(
        (operation) => isGroupable(session, operation) && !session.out.isSealed(operation.statement),
      );
      if (next === null) break;
      group.push(next);
    }
    if (group.length === 1) return false;
    if (session.schema.reachesOut) {
      for (const operation of group) operation.single = true;
      this.#singles.unshift(...group.slice(1));
      return false;
    }
    const { answered, rest } = this.#groupCommit.run(group);
    this.#over += answered;
    if (session.out.anyRows && !session.handle.inTransaction) session.out.seal(null);
    this.#singles.unshift(...rest);
    this.#current = null;
    return true;
  }

  #takePoints(): Points {
    return (this.#points ??= new Points(this.#session));
  }

  /**
   * Runs the operation and those that wait behind it, at most `most`, in one call of the native companion: reads in
   * their shared transaction, small statements in a transaction of the caller's. A read outside of both runs alone.
   * Gives the number of answers; 0 if the operation has to run in another way.
   */
  #together(first: Operation, most: number): number {
    const session = this.#session;
    const { out } = session;
    const shared = this.#sharedRead;
    if (first.code !== Op.QUERY || !first.statement!.quick) return 0;
    if (session.trace.on || !session.nativeStatements.anyIdle) return 0;
    const open = !shared.under && session.handle.inTransaction;
    const alone = !open && !shared.under;
    if (alone && !mayShare(first)) return 0;
    const points = this.#takePoints();
    const takes = (operation: Operation): boolean => {
      if (alone) return points.addRead(operation);
      if (!open) return shared.takes(operation) && points.addRead(operation);
      if (operation.code !== Op.QUERY || !operation.statement!.quick) return false;
      if (operation.statement!.readonly) return points.addRead(operation);
      return !session.changes.tracking && points.addWrite(operation);
    };
    if (!takes(first)) return 0;
    const began = performance.now();
    for (let count = alone ? most : 1; count < most; count++) {
      if (this.#nextIf((operation) => !out.isSealed(operation.statement) && takes(operation)) === null) break;
    }
    closeGroup(this.#control);
    session.lockWait.attempt(first.sequence, true, began);
    if (open) session.handle.noteTransaction();
    const { done, failed, error, rest } = points.run(SLICE_MS, spent);
    points.clear();
    // The first operation has joined already.
    if (shared.under) for (const operation of done) if (operation !== first) shared.joined(operation);
    this.#latest = (failed ?? done.at(-1))?.sequence ?? this.#latest;
    let answered = done.length;
    // The operation waits for the lock when it runs by itself.
    const locked = failed !== null && LOCK_CODES.has(codeOf(error));
    if (failed !== null && !locked) {
      if (open) this.#loneWrite.stoppedInTransaction(failed);
      this.#failed(failed, error);
      answered++;
    }
    const left = locked ? [failed, ...rest] : rest;
    this.#over += answered;
    if (failed !== null || answered > 0) this.#ended();
    if (answered === 0) {
      this.#singles.unshift(...left.slice(1));
      return 0;
    }
    if (alone) out.seal(null);
    this.#current = null;
    this.#singles.unshift(...left);
    return answered;
  }

  /** The next operation, if there is one and it is `wanted`. */
  #nextIf(wanted: (operation: Operation) => boolean): Operation | null {
    const [single] = this.#singles;
    if (single === undefined) return this.#reader.nextIf(wanted);
    return !single.single && wanted(single) ? this.#singles.shift()! : null;
  }

  /** Puts these operations in front of the current one. False if there are none. */
  #runAgain(operations: readonly Operation[]): boolean {
    if (operations.length === 0) return false;
    if (this.#begun) this.#ended();
    if (this.#current !== null && !operations.includes(this.#current)) this.#singles.unshift(this.#current);
    this.#singles.unshift(...operations);
    this.#current = null;
    this.#begun = false;
    return true;
  }
}

function spent(statement: Statement, ms: number): void {
  statement.spent(ms);
}

function isQuick(operation: Operation): boolean {
  switch (operation.code) {
    case Op.QUERY:
      return operation.statement!.quick;
    case Op.CONTROL:
      return operation.fields[0] !== Verb.COMMIT && operation.fields[0] !== Verb.FINISH;
    default:
      return false;
  }
}
