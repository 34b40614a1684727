import { types } from "node:util";
import { Ask, type GroupRequest, type SqlValue } from "@sqlite-aio/worker/wire";
import { adoptBlob, bindResult, CallbackFailure, refused } from "../thread/callbacks.js";

/** One group of rows: receives them one by one and computes a result at the end. */
export interface Aggregate {
  /** Takes the arguments of one row. */
  step(...values: never[]): unknown;
  /** Gives the result of the group; it must be a value that binds. */
  finalize(): unknown;
}

/** One window of rows: rows enter and leave, and the result can be read in between. */
export interface WindowFunction extends Aggregate {
  /** Removes the row that leaves the window. */
  inverse(...values: never[]): unknown;
  /** Gives the present result of the window; it must be a value that binds. */
  value(): unknown;
}

/** A class; each group gets an instance of it. */
export type AggregateClass<A extends Aggregate = Aggregate> = new () => A;

/** The closure through which the thread calls the instances of a class. */
export function aggregateClosure(Aggregate: AggregateClass): (...request: GroupRequest) => SqlValue {
  const groups = new AggregateGroups(Aggregate);
  return (...request) => groups.answer(request);
}

/** The instances of an aggregate's class, one for each group that has not ended. */
class AggregateGroups {
  readonly #Aggregate: AggregateClass;
  readonly #groups = new Map<number, Record<string, unknown>>();

  constructor(Aggregate: AggregateClass) {
    this.#Aggregate = Aggregate;
  }

  answer([group, rows, ask, over]: GroupRequest): SqlValue {
    for (const ended of over) this.#groups.delete(ended);
    const instance = this.#groups.get(group) ?? this.#begin(group);
    try {
      for (const [inverse, ...values] of rows) {
        const method = inverse === 1 ? "inverse" : "step";
        const given = call(instance, method, values.map(adoptBlob));
        if (types.isPromise(given)) throw failure(method, "raised error", refused(given));
      }
    } catch (error) {
      this.#groups.delete(group);
      finalizeUnheard(instance);
      throw error;
    }
    if (ask === Ask.NOTHING) return null;
    if (ask === Ask.VALUE) return bound(instance, "value");
    this.#groups.delete(group);
    return bound(instance, "finalize");
  }

  #begin(group: number): Record<string, unknown> {
    let instance: Record<string, unknown>;
    try {
      instance = new this.#Aggregate() as unknown as Record<string, unknown>;
    } catch (error) {
      throw failure("constructor", "raised error", error);
    }
    this.#groups.set(group, instance);
    return instance;
  }
}

/** As in CPython, a failed group is still finalized. Its result is ignored. */
function finalizeUnheard(instance: Record<string, unknown>): void {
  try {
    call(instance, "finalize", []);
  } catch {
    // The first error is reported.
  }
}

function call(instance: Record<string, unknown>, method: string, values: unknown[]): unknown {
  const { [method]: fn } = instance;
  if (typeof fn !== "function") {
    throw failure(method, "not defined", new TypeError(`the aggregate has no method "${method}"`));
  }
  try {
    return Reflect.apply(fn, instance, values) as unknown;
  } catch (error) {
    throw failure(method, "raised error", error);
  }
}

/** Calls a method and binds its result. A result that cannot be bound counts as the method's failure. */
function bound(instance: Record<string, unknown>, method: string): SqlValue {
  const value = call(instance, method, []);
  try {
    return bindResult(value);
  } catch (error) {
    throw failure(method, "raised error", error);
  }
}

/** The error, with CPython's message for SQLite. */
function failure(method: string, what: "raised error" | "not defined", cause: unknown): CallbackFailure {
  return new CallbackFailure(`user-defined aggregate's '${method}' method ${what}`, cause);
}
