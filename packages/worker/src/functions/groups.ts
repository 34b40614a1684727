import { CallbackError, FunctionError } from "../wire/fault.js";
import { Ask, type GroupRow } from "../wire/definitions.js";
import type { SqlValue } from "../wire/protocol.js";
import { sizeOf } from "../wire/rows/row-encode.js";
import type { Callbacks } from "./callbacks.js";
import { refusePromise, toResult } from "./result.js";

/** One group, or one window, of an aggregate. */
export interface Group {
  step(row: SqlValue[]): void;
  inverse(row: SqlValue[]): void;
  value(): SqlValue;
  /** The last call for this group. */
  finalize(): SqlValue;
}

/** Creates the groups of one aggregate. */
export type GroupMaker = () => Group;

type Class = new () => Record<string, unknown>;

/** Groups of a class in this thread: each group creates its instance at the first row. */
export function localGroups(Aggregate: Class): GroupMaker {
  return () => new LocalGroup(Aggregate);
}

class LocalGroup implements Group {
  readonly #Aggregate: Class;
  #instance: Record<string, unknown> | null = null;

  constructor(Aggregate: Class) {
    this.#Aggregate = Aggregate;
  }

  step(row: SqlValue[]): void {
    this.#run("step", row);
  }

  inverse(row: SqlValue[]): void {
    this.#run("inverse", row);
  }

  value(): SqlValue {
    return this.#instance === null ? null : this.#call("value", []);
  }

  finalize(): SqlValue {
    return this.#instance === null ? null : this.#call("finalize", []);
  }

  #run(method: string, row: SqlValue[]): void {
    this.#call(method, row, (given) => {
      refusePromise(given);
      return null;
    });
  }

  #call(method: string, args: SqlValue[], result: (value: unknown) => SqlValue = toResult): SqlValue {
    try {
      this.#instance ??= new this.#Aggregate();
    } catch (error) {
      throw new FunctionError(error, aggregateFailure("constructor", "raised error"));
    }
    const instance = this.#instance;
    if (typeof instance[method] !== "function") {
      const error = new TypeError(`the aggregate has no method "${method}"`);
      throw new FunctionError(error, aggregateFailure(method, "not defined"));
    }
    try {
      return result(instance[method](...args));
    } catch (error) {
      throw new FunctionError(error, aggregateFailure(method, "raised error"));
    }
  }
}

/** The message for SQLite when an aggregate's method fails, in CPython's words. */
function aggregateFailure(method: string, what: "raised error" | "not defined"): string {
  return `user-defined aggregate's '${method}' method ${what}`;
}

/** Limits of the rows that are sent together. */
const MOST_ROWS = 1024;
const MOST_BYTES = 256 * 1024;

/**
 * Groups of a class on the main side, by the number of its closure. Rows are sent together, until a result is needed.
 */
export function remoteGroups(closure: number, callbacks: Callbacks): GroupMaker {
  let last = 0;
  let over: number[] = [];
  // An engine may drop a window without a call.
  const dropped = new FinalizationRegistry<number>((group) => over.push(group));
  const ask = (group: number, rows: readonly GroupRow[], what: number): SqlValue => {
    const ended = over;
    over = [];
    return callbacks.call(closure, [group, rows, what, ended]);
  };
  return () => {
    const number = ++last;
    const group = new RemoteGroup((rows, what) => ask(number, rows, what));
    dropped.register(group, number);
    return group;
  };
}

class RemoteGroup implements Group {
  readonly #ask: (rows: readonly GroupRow[], what: number) => SqlValue;
  #rows: GroupRow[] = [];
  #bytes = 0;
  #begun = false;
  #failed = false;

  constructor(ask: (rows: readonly GroupRow[], what: number) => SqlValue) {
    this.#ask = ask;
  }

  step(row: SqlValue[]): void {
    this.#add([0, ...row]);
  }

  inverse(row: SqlValue[]): void {
    this.#add([1, ...row]);
  }

  value(): SqlValue {
    return this.#begun ? this.#send(Ask.VALUE) : null;
  }

  finalize(): SqlValue {
    // The main side has dropped a group that failed.
    return this.#begun && !this.#failed ? this.#send(Ask.FINALIZE) : null;
  }

  #add(row: GroupRow): void {
    this.#begun = true;
    for (let c = 1; c < row.length; c++) this.#bytes += sizeOf(row[c] as SqlValue);
    if (this.#rows.push(row) >= MOST_ROWS || this.#bytes >= MOST_BYTES) this.#send(Ask.NOTHING);
  }

  #send(what: number): SqlValue {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    try {
      return this.#ask(rows, what);
    } catch (error) {
      this.#failed = error instanceof CallbackError;
      throw error;
    }
  }
}
