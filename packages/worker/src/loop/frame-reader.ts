import type { Executor } from "../handle/executor.js";
import type { Operation } from "../handle/operation.js";
import type { Statement } from "../handle/statement.js";
import { nextSequence } from "../wire/control-block.js";
import { isCount, malformed } from "../wire/malformed.js";
import { type Frame, Op, type SqlValue } from "../wire/protocol.js";

/** Number of fields of each operation, without its code. A QUERY's parameters follow its fields. */
const FIELDS: Readonly<Record<number, number>> = {
  [Op.DEFINE]: 3,
  [Op.FORGET]: 1,
  [Op.QUERY]: 6,
  [Op.FETCH]: 2,
  [Op.RELEASE]: 1,
  [Op.SCRIPT]: 2,
  [Op.MANY]: 4,
  [Op.CONTROL]: 2,
  [Op.CALL]: 3,
  [Op.TIME]: 1,
};

const NO_FIELDS: readonly unknown[] = [];
const NO_VALUES: SqlValue[] = [];

/** Reads operations from frames, in order. Operations without an answer are executed at once. */
export class FrameReader {
  readonly #executor: Executor;
  readonly #frames: Frame[] = [];
  #at = 0;
  #sequence = 0;
  /** An operation that was read but not returned yet. */
  #ahead: Operation | null = null;
  #timed = false;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  get empty(): boolean {
    const [frame] = this.#frames;
    const over = frame === undefined || (this.#frames.length === 1 && this.#at >= frame.length);
    return over && this.#ahead === null;
  }

  add(frame: Frame): void {
    this.#frames.push(frame);
  }

  /** The next operation, if there is one and it is `wanted`. */
  nextIf(wanted: (operation: Operation) => boolean): Operation | null {
    this.#ahead ??= this.#next();
    return this.#ahead !== null && wanted(this.#ahead) ? this.next() : null;
  }

  next(): Operation | null {
    const operation = this.#ahead ?? this.#next();
    this.#ahead = null;
    return operation;
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

  /**
   * Reads the operation at the current position. Null for an operation without an answer, which is executed at once.
   */
  #read(frame: Frame): Operation | null {
    const executor = this.#executor;
    const code = frame[this.#at] as number;
    const start = this.#at + 1;
    const parameters = code === Op.QUERY ? frame[start + 5] : 0;
    const fields = isCount(code) ? (FIELDS[code] ?? Number.NaN) : Number.NaN;
    // A negative count would lead back to the start of this operation.
    const end = isCount(parameters) ? start + fields + parameters : Number.NaN;
    if (!(end <= frame.length)) throw malformed("an operation");
    this.#at = end;
    switch (code) {
      case Op.QUERY: {
        const operation = this.#operation(code, executor.statement(frame[start] as number), NO_FIELDS);
        operation.mode = frame[start + 1] as number;
        operation.flags = frame[start + 2] as number;
        operation.target = frame[start + 3] as number;
        operation.limit = frame[start + 4] as number;
        operation.values = frame.slice(start + 6, end) as SqlValue[];
        return operation;
      }
      case Op.DEFINE:
        if (typeof frame[start + 1] !== "string") throw malformed("an operation");
        executor.define(
          frame[start] as number,
          frame[start + 1] as string,
          frame[start + 2] as (string | null)[] | null,
        );
        return null;
      case Op.FORGET:
        executor.forget(frame[start] as number);
        return null;
      case Op.RELEASE:
        executor.release(frame[start] as number);
        return null;
      case Op.TIME:
        this.#timed = frame[start] === 1;
        return null;
      default: {
        const statement = code === Op.MANY ? executor.statement(frame[start] as number) : null;
        return this.#operation(code, statement, frame.slice(start, end));
      }
    }
  }

  #operation(code: number, statement: Statement | null, fields: readonly unknown[]): Operation {
    this.#sequence = nextSequence(this.#sequence);
    return {
      sequence: this.#sequence,
      code,
      statement,
      mode: 0,
      flags: 0,
      target: 0,
      limit: 0,
      values: NO_VALUES,
      fields,
      cursor: null,
      script: null,
      piece: null,
      batch: null,
      at: 0,
      changes: 0,
      single: false,
      skipped: false,
      timed: this.#timed,
      begun: 0,
      ran: 0,
    };
  }
}
