import { type Operation, Step } from "./executor.js";
import type { Session } from "./session.js";
import type { Statement } from "./statements.js";
import { begin, type Control, nextSequence } from "./wire/control.js";
import { UsageError } from "./wire/fault.js";
import { type Frame, Op, Verb } from "./wire/protocol.js";

/** After this long the answers that are there leave, and the rest goes on. */
const SLICE_MS = 1;

/** Fields of each operation after its code; QUERY's parameters follow its own. */
const FIELDS: Readonly<Record<number, number>> = {
  [Op.DEFINE]: 3,
  [Op.FORGET]: 1,
  [Op.QUERY]: 6,
  [Op.FETCH]: 2,
  [Op.RELEASE]: 1,
  [Op.SCRIPT]: 2,
  [Op.MANY]: 3,
  [Op.CONTROL]: 2,
  [Op.CALL]: 2,
};

/**
 * Runs frames in order. A call is answered with whatever is finished: when about a millisecond is spent, when a
 * packet is full, and before an operation that is not known to be quick, so that a slow one never holds back the
 * answers before it. What remains goes on after the answer has left, and rides on the answer to the next call.
 */
export class Pump {
  readonly #session: Session;
  readonly #control: Control;
  readonly #frames: Frame[] = [];
  #at = 0;
  #sequence = 0;
  #current: Operation | null = null;
  /** The current operation has begun: it is never skipped now. */
  #begun = false;

  constructor(session: Session, control: Control) {
    this.#session = session;
    this.#control = control;
  }

  get idle(): boolean {
    return this.#current === null && this.#frames.length === 0;
  }

  /** Takes a frame and works until there is something to answer. */
  run(frame: Frame): { reply: unknown[]; transfer: ArrayBuffer[] } {
    if (frame.length > 0) this.#frames.push(frame);
    this.proceed();
    return this.#session.takeReply();
  }

  /** Works until something is worth an answer, or nothing is left. */
  proceed(): void {
    const { out } = this.#session;
    const began = performance.now();
    let now = began;
    for (;;) {
      this.#current ??= this.#next();
      const operation = this.#current;
      if (operation === null) return;
      if (!out.empty && (now - began > SLICE_MS || this.#begun || !isQuick(operation))) return;
      const finished = this.#attempt(operation, now);
      const after = performance.now();
      if (finished) {
        operation.statement?.spent(after - now);
        this.#current = null;
        this.#begun = false;
      }
      now = after;
    }
  }

  /** True when the operation is answered to its end. */
  #attempt(operation: Operation, now: number): boolean {
    const session = this.#session;
    const first = !this.#begun;
    if (first) {
      this.#sequence = nextSequence(this.#sequence);
      if (!begin(this.#control, this.#sequence)) {
        session.out.skipped();
        return true;
      }
      this.#begun = true;
    }
    session.beginAttempt(this.#sequence, first, now);
    const { mark } = session.out;
    const wasOpen = session.inTransaction;
    try {
      return session.executor.step(operation) === Step.DONE;
    } catch (error) {
      session.out.rewind(mark);
      if (session.mayRetry(error)) return false;
      session.wrote();
      session.out.fault(error, {
        ...(operation.code === Op.MANY ? { set: operation.at } : {}),
        ...(wasOpen && !session.inTransaction ? { rolledBack: true } : {}),
      });
      operation.cursor?.close();
      return true;
    }
  }

  #next(): Operation | null {
    for (;;) {
      const frame = this.#frames[0];
      if (frame === undefined) return null;
      if (this.#at >= frame.length) {
        this.#frames.shift();
        this.#at = 0;
        continue;
      }
      const operation = this.#read(frame);
      if (operation !== null) return operation;
    }
  }

  /** The operation at the read position; null for one that has no answer, which is done at once. */
  #read(frame: Frame): Operation | null {
    const { executor } = this.#session;
    const code = frame[this.#at] as number;
    const start = this.#at + 1;
    let end = start + (FIELDS[code] ?? Number.POSITIVE_INFINITY);
    if (code === Op.QUERY) end += frame[start + 5] as number;
    if (!(end <= frame.length))
      throw new UsageError("PROTOCOL", `operation ${String(code)} is not known or cut short`);
    this.#at = end;
    const fields = frame.slice(start, end);
    let statement: Statement | null = null;
    switch (code) {
      case Op.DEFINE:
        executor.define(fields[0] as number, fields[1] as string, fields[2] as (string | null)[] | null);
        return null;
      case Op.FORGET:
        executor.forget(fields[0] as number);
        return null;
      case Op.RELEASE:
        executor.release(fields[0] as number);
        return null;
      case Op.QUERY:
      case Op.MANY:
        statement = executor.statement(fields[0] as number);
        break;
      default:
        break;
    }
    return {
      code,
      fields,
      statement,
      cursor: null,
      script: null,
      piece: null,
      batch: null,
      at: 0,
      changes: 0,
    };
  }
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
