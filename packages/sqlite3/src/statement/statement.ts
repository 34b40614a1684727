import { EventEmitter } from "node:events";
import type { Bindable } from "@sqlite-aio/core";
import { Answer, report, reportLater, tell } from "../calls/answer.js";
import { type Callback, optionalCallback, split, splitEach } from "../calls/arguments.js";
import { enumerable, nativeLike } from "../calls/constructor.js";
import { alreadyFinalized, fromCore, type Sqlite3Error } from "../calls/errors.js";
import type { ObjectRow, OnRows } from "../connection/handle.js";
import { type StatementText, statementText } from "../connection/statement-text.js";
import type { Database } from "../declarations/sqlite3.js";
import { CallQueue } from "../scheduling/call-queue.js";
import { Kind } from "../scheduling/job.js";
import { type Session, sessionOf } from "../scheduling/session.js";
import { type Bindings, bindingsOf } from "./parameters.js";
import { eachRow, mapOf } from "./rows.js";
import { type Operation, StatementCall } from "./statement-call.js";
import { Stepper } from "./stepper.js";

/**
 * Passed in place of a callback: the statement only serves as `this` in the callback of `db.run()` and similar methods.
 */
const ONE_SHOT = Symbol("one shot");

type Values = readonly Bindable[];

/** Statements that were garbage-collected before finalize() must not keep their database from closing. */
const forgotten = new FinalizationRegistry<() => void>((release) => release());

export class StatementClass extends EventEmitter {
  readonly #session: Session;
  readonly #sql: string;
  readonly #text: StatementText;
  readonly #queue: CallQueue;
  #phase: "preparing" | "prepared" | "broken" | "finalized" = "preparing";
  /** Set when it is prepared, so every call that starts has it. */
  #stepper!: Stepper;
  /** The values of the parameters until others are given. */
  #bound: Values;
  /** Values of runs without callbacks, to be sent together. */
  #runs: Values[] | null = null;
  #release: (() => void) | null = null;

  /** Compiles the first statement of `sql`. */
  constructor(db: Database, sql: string, callback?: Callback | typeof ONE_SHOT) {
    const session = sessionOf(db);
    if (session === undefined) throw new TypeError("Database object expected");
    if (typeof sql !== "string") throw new TypeError("SQL query expected");
    if (callback !== undefined && typeof callback !== "function" && callback !== ONE_SHOT)
      throw new TypeError("Callback expected");
    super();
    this.#session = session;
    this.#sql = sql;
    this.#text = statementText(sql);
    this.#queue = new CallQueue(session.scheduler);
    this.#bound = this.#text.unbound;
    if (callback === ONE_SHOT) this.#phase = "finalized";
    else this.#prepare(Answer.of(callback, "sqlite3.Statement.Prepare"));
  }

  /** The text that it was prepared from. */
  get sql(): string {
    return this.#sql;
  }

  /** Sets the values of parameters, and starts over. */
  bind(...given: unknown[]): this {
    const { values, callback } = split(given);
    const answer = Answer.of(callback, "sqlite3.Statement.Bind");
    const bindings = this.#bindings(values);
    return this.#call<void>(bindings, {
      kind: Kind.MESSAGE,
      fresh: false,
      answer,
      work: async () => {
        if (bindings !== null) this.#stepper.reset();
      },
      succeeded: () => answer?.call(this, null),
    });
  }

  /** Starts over: the next `get()` gives the first row. */
  reset(callback?: Callback): this {
    const answer = Answer.of(optionalCallback(callback), "sqlite3.Statement.Reset");
    return this.#call<void>(null, {
      kind: Kind.MESSAGE,
      fresh: false,
      answer,
      work: async () => this.#stepper.reset(),
      succeeded: () => answer?.call(this, null),
    });
  }

  /** Runs the first step. `this.lastID` and `this.changes` are set for the callback. */
  run(...given: unknown[]): this {
    const { values, callback } = split(given);
    const bindings = this.#bindings(values);
    if (callback === undefined && this.#join(bindings)) return this;
    const answer = Answer.of(callback, "sqlite3.Statement.Run");
    return this.#call(bindings, {
      kind: Kind.MESSAGE,
      fresh: true,
      answer,
      work: (bound) => this.#stepper.run(bound),
      succeeded: (outcome) => {
        if (answer === null) return;
        Object.assign(this, outcome);
        answer.call(this, null);
      },
    });
  }

  /** Gives the next row: the first one if values are given, or if there was none yet. */
  get(...given: unknown[]): this {
    const { values, callback } = split(given);
    const answer = Answer.of(callback, "sqlite3.Statement.Get");
    const bindings = this.#bindings(values);
    return this.#call(bindings, {
      kind: Kind.MESSAGE,
      fresh: bindings !== null,
      answer,
      work: (bound) => this.#stepper.get(bound, bindings !== null),
      succeeded: (row) => {
        if (row === undefined) answer?.call(this, null);
        else answer?.call(this, null, row);
      },
    });
  }

  /** Gives all rows. */
  all(...given: unknown[]): this {
    const { values, callback } = split(given);
    const answer = Answer.of(callback, "sqlite3.Statement.All");
    return this.#call(this.#bindings(values), {
      kind: Kind.MESSAGE,
      fresh: true,
      answer,
      work: (bound) => this.#stepper.all(bound),
      succeeded: (rows) => answer?.call(this, null, rows),
    });
  }

  /** Calls the first function for each row, and the second one with their number at the end. */
  each(...given: unknown[]): this {
    const { values, callback, complete } = splitEach(given);
    const answer = Answer.of(callback, "sqlite3.Statement.Each");
    const completed = Answer.of(complete, "sqlite3.Statement.Each");
    let count = 0;
    const onRows: OnRows = (rows) => {
      count += rows.length;
      return eachRow(this, answer, rows);
    };
    const over = (): void => completed?.call(this, null, count);
    return this.#call<void>(this.#bindings(values), {
      kind: Kind.LONG,
      fresh: true,
      answer,
      work: (bound) => this.#stepper.each(bound, onRows),
      succeeded: over,
      failed: over,
    });
  }

  /**
   * Gives an object. Its keys are the first column; its values are the second one, or the rows if there are more
   * columns.
   */
  map(...given: unknown[]): this {
    const { values, callback } = split(given);
    if (callback === undefined) throw new TypeError(`Argument ${given.length} must be a function`);
    return this.all(...values, (error: Error | null, rows: ObjectRow[]) => {
      if (error) callback(error);
      else callback(null, mapOf(rows));
    });
  }

  /** Frees the statement when all earlier calls are answered; at once if there are none. */
  finalize(callback?: Callback): Database {
    const answer = Answer.of(optionalCallback(callback), "sqlite3.Statement.Finalize");
    const refuse = (error: Sqlite3Error): boolean => tell(this, answer, error);
    this.#session.scheduler.sendHeldBack();
    if (this.#phase === "finalized") this.#refuse(refuse);
    else if (this.#phase !== "broken") {
      this.#queue.afterAll(() => {
        this.#finalize();
        answer?.call(this);
      }, refuse);
    }
    return this.#session.owner;
  }

  #prepare(answer: Answer | null): void {
    this.#session.schedule({
      kind: Kind.MESSAGE,
      start: () => {
        this.#queue.begun();
        return this.#session.handle.compile(this.#text);
      },
      done: (error, givesRows) => {
        if (error === null) this.#prepared(answer, givesRows === true);
        else {
          this.#broken();
          report(this, answer, error);
        }
      },
      refuse: (error) => {
        this.#broken();
        return tell(this, answer, error);
      },
    });
  }

  #prepared(answer: Answer | null, givesRows: boolean): void {
    this.#phase = "prepared";
    this.#stepper = new Stepper(this.#text, this.#session.handle, givesRows);
    // SQLite compiles an empty text to nothing, so there is nothing to hold.
    if (!this.#text.empty) {
      this.#release = this.#session.holdStatement();
      forgotten.register(this, this.#release, this);
    }
    try {
      answer?.call(this, null);
    } finally {
      this.#queue.ready();
    }
  }

  /** It could not be compiled, and its caller knows. Drops its earlier and later calls. */
  #broken(): void {
    this.#phase = "broken";
    this.#queue.takeAll();
  }

  #finalize(): void {
    this.#phase = "finalized";
    this.#stepper.reset();
    if (this.#release !== null) {
      forgotten.unregister(this);
      this.#release();
      this.#release = null;
    }
    const waiting = this.#queue.takeAll();
    if (waiting.length === 0) return;
    this.#refuse((error) => waiting.reduce((told, one) => one.tell(error) || told, false));
  }

  /** Reports that it is finalized: by `how`, or by an event if there is no callback. */
  #refuse(how: (error: Sqlite3Error) => boolean): void {
    const error = alreadyFinalized();
    if (!how(error)) this.emit("error", error);
  }

  #bindings(values: readonly unknown[]): Bindings | null {
    return bindingsOf(this.#text.parameters, values);
  }

  #call<T>(bindings: Bindings | null, operation: Operation<T>): this {
    // The held-back runs were called before this one.
    this.#session.scheduler.sendHeldBack();
    if (this.#phase === "broken") return this;
    if (this.#phase === "finalized") {
      this.#refuse((error) => tell(this, operation.answer, error));
      return this;
    }
    if (bindings !== null) this.#bound = bindings.values;
    const checked = bindings?.error ? this.#refusing(operation, bindings.error) : operation;
    this.#queue.add(new StatementCall(this.#queue, this, checked, this.#bound));
    return this;
  }

  /** SQLite starts over before it looks at values. */
  #refusing<T>(operation: Operation<T>, error: Sqlite3Error): Operation<T> {
    return {
      ...operation,
      fresh: false,
      work: async () => {
        this.#stepper.reset();
        throw error;
      },
    };
  }

  /** Keeps a run without a callback, to send it with following ones; false if that is not possible. */
  #join(bindings: Bindings | null): boolean {
    if (!this.#text.dml || (bindings !== null && bindings.error !== null)) return false;
    if (this.#phase === "finalized" || this.#phase === "broken") return false;
    if (bindings !== null) this.#bound = bindings.values;
    if (this.#runs === null) {
      const runs: Values[] = [];
      this.#session.scheduler.holdBack(() => {
        this.#runs = null;
        this.#sendTogether(runs);
      });
      this.#runs = runs;
    }
    this.#runs.push(this.#bound);
    return true;
  }

  #sendTogether(runs: readonly Values[]): void {
    const one = runs.length === 1;
    const failed = (error: unknown): void => reportLater(this, fromCore(error));
    const operation: Operation<unknown> = {
      kind: one ? Kind.MESSAGE : Kind.LONG,
      fresh: true,
      answer: null,
      work: (bound) => (one ? this.#stepper.run(bound) : this.#stepper.many(runs, failed)),
      succeeded: () => {},
    };
    this.#queue.add(new StatementCall(this.#queue, this, operation, runs[0]!));
  }
}

/** @internal `this` for the callback of `db.run()` and similar methods: a statement that takes no further calls. */
export function oneShot(db: Database, sql: string): Statement {
  return new StatementClass(db, sql, ONE_SHOT);
}

enumerable(StatementClass.prototype, ["map"]);

/** A statement that is compiled once and can be run many times. */
export const Statement: typeof StatementClass = nativeLike(StatementClass, "Statement");
export type Statement = StatementClass;
