import type { Bindable } from "@sqlite-aio/core";
import { types } from "node:util";
import type { ParameterList } from "@sqlite-aio/worker/sql";
import { sqlite3Error, type Sqlite3Error } from "../calls/errors.js";

/** The values of a statement by index, and the error of the given values. */
export interface Bindings {
  readonly values: readonly Bindable[];
  readonly error: Sqlite3Error | null;
}

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/**
 * The values in a call's arguments: one array, one object of names or numbers, or one value each. Missing values are
 * NULL. Returns null if there are no arguments, so that the previous values stay. Throws RangeError for a bigint that
 * is no int64.
 */
export function bindingsOf(list: ParameterList, given: readonly unknown[]): Bindings | null {
  const first = given[0];
  if (Array.isArray(first)) return byIndex(list, first);
  if (isNames(first)) return byName(list, first);
  return byIndex(list, given);
}

function isNames(value: unknown): value is Readonly<Record<string, unknown>> {
  // A function that is no callback is an object to Node-API.
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    !types.isDate(value) &&
    !types.isRegExp(value)
  );
}

function byIndex(list: ParameterList, given: readonly unknown[]): Bindings | null {
  if (given.length === 0) return null;
  const { count } = list;
  const values: Bindable[] = new Array(count);
  for (let i = 0; i < count; i++) values[i] = i < given.length ? bindable(given[i]) : null;
  // A surplus undefined is ignored.
  for (let i = count; i < given.length; i++) if (given[i] !== undefined) return outOfRange(values);
  return { values, error: null };
}

function byName(list: ParameterList, given: Readonly<Record<string, unknown>>): Bindings | null {
  const values: Bindable[] = new Array(list.count).fill(null);
  let some = false;
  // Includes inherited properties, as Node-API does.
  for (const name in given) {
    some = true;
    const value = given[name];
    if (value === undefined) continue;
    const index = indexOf(list, name);
    if (index < 1 || index > list.count) return outOfRange(values);
    values[index - 1] = bindable(value);
  }
  return some ? { values, error: null } : null;
}

function indexOf(list: ParameterList, name: string): number {
  const number = Number(name);
  if (number === Math.trunc(number) && number > 0) return number;
  return (list.names?.indexOf(name) ?? -1) + 1;
}

function outOfRange(values: readonly Bindable[]): Bindings {
  return { values, error: sqlite3Error("RANGE", "column index out of range") };
}

/** Converts a value as sqlite3 does. Buffers are copied, because the caller may go on using them. */
function bindable(value: unknown): Bindable {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? value : value.toWellFormed();
    case "number":
      // An integer to sqlite3, which core would keep as the REAL that it is.
      return Object.is(value, -0) ? 0 : value;
    case "boolean":
      return value;
    case "bigint":
      if (value > MAX_INT64 || value < MIN_INT64)
        throw new RangeError(`${value} does not fit into SQLite's 64-bit INTEGER`);
      return value;
    case "object":
      if (value === null) return null;
      if (ArrayBuffer.isView(value)) return copyOf(value);
      if (types.isDate(value)) return Number(value);
      return types.isRegExp(value) ? String(value) : "[object Object]";
    case "function":
      return "[object Object]";
    default:
      return null;
  }
}

function copyOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
