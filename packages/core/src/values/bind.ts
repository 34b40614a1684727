import { types } from "node:util";
import { factsOf, type ParameterList } from "@sqlite-aio/worker/sql";
import type { SqlValue } from "@sqlite-aio/worker/wire";
import { adapt, adaptsPrimitives } from "./adapters.js";
import { DataError, ProgrammingError } from "../errors/errors.js";

/**
 * Types that have an adapter (`registerAdapter()`). A type that is declared here may be a parameter.
 *
 * @example
 * registerAdapter(Date, (date) => date.toISOString());
 * declare module "@sqlite-aio/core" {
 *   interface AdaptedTypes {
 *     date: Date;
 *   }
 * }
 */
export interface AdaptedTypes {}

/** A value that can be a parameter: it binds by itself, or is one of the {@link AdaptedTypes}. */
export type Bindable =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | ArrayBufferLike
  | ArrayBufferView
  // oxlint-disable-next-line typescript/no-redundant-type-constituents -- `never` until somebody declares one
  | AdaptedTypes[keyof AdaptedTypes];

/** An array for `?` and `?NNN`, an object for `:name`, `@name` and `$name`. */
export type Parameters = readonly Bindable[] | { readonly [name: string]: Bindable };

/**
 * The condition on `P` to be {@link Parameters}: an array or an object, also of an `interface`, whose values can be
 * bound. Primitives are no objects, and every function has the symbol.
 */
export type ParametersOf<P> = object & { readonly [K in keyof P]: Bindable } & {
  /** What functions have. */
  readonly [Symbol.hasInstance]?: never;
};

/**
 * {@link Parameters}, or an object of an `interface` whose values are checked only by the call: if the type of rows is
 * given, TypeScript does not infer that of parameters. Dates, functions, iterables, buffers and promises have one of
 * the symbols.
 */
export type AnyParameters =
  | Parameters
  | (object & {
      /** What functions have. */
      readonly [Symbol.hasInstance]?: never;
      /** What iterables have. */
      readonly [Symbol.iterator]?: never;
      /** What dates have. */
      readonly [Symbol.toPrimitive]?: never;
      /** What buffers and promises have. */
      readonly [Symbol.toStringTag]?: never;
    });

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** SQLITE_LIMIT_LENGTH in better-sqlite3. */
const MAX_LENGTH = 2 ** 29 - 24;

/** The values in index order, in the form that is sent to the thread. Throws before anything is queued. */
export function bindParameters(list: ParameterList, given: object | null | undefined): SqlValue[] {
  if (given === null || given === undefined) {
    if (list.count > 0) throw countError(list.count, 0);
    return [];
  }
  if (Array.isArray(given)) return bindArray(list, given);
  if (typeof given !== "object" || ArrayBuffer.isView(given) || types.isAnyArrayBuffer(given)) {
    throw new ProgrammingError(
      `parameters must be an array or an object, not ${describe(given)}; several values go into one array: (sql, [a, b])`,
      MISUSE,
    );
  }
  if (Symbol.iterator in given) return bindArray(list, [...(given as Iterable<Bindable>)]);
  return bindObject(list, given as Readonly<Record<string, Bindable>>);
}

const MISUSE = { code: "SQLITE_MISUSE" } as const;

/** Values that were bound once, for calls to come. No adapter sees them again; their memory is copied for each call. */
class KeptParameters extends Array<SqlValue> {}

/** Copies the parameters now. The returned function gives them, or throws if they were wrong. */
export function keepParameters(sql: string, given: object | null | undefined): () => Parameters {
  try {
    const values = KeptParameters.from(bindParameters(factsOf(sql).parameters, given));
    return () => values;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function bindArray(list: ParameterList, given: readonly Bindable[]): SqlValue[] {
  if (given.length !== list.count) throw countError(list.count, given.length);
  const values: SqlValue[] = new Array(given.length);
  if (given instanceof KeptParameters) {
    for (let i = 0; i < given.length; i++) values[i] = bindPlain(given[i], i + 1, given[i]);
  } else {
    for (let i = 0; i < given.length; i++) values[i] = bindValue(given[i], i + 1);
  }
  if (list.names !== null) refuseHomonyms(list, values);
  return values;
}

function bindObject(list: ParameterList, given: Readonly<Record<string, Bindable>>): SqlValue[] {
  const values: SqlValue[] = new Array(list.count);
  const used = new Set<string>();
  for (let i = 0; i < list.count; i++) {
    const name = list.names?.[i] ?? null;
    if (name === null || name.startsWith("?")) {
      throw new ProgrammingError(
        `Binding ${i + 1} has no name, but you supplied an object (which has only names).`,
        MISUSE,
      );
    }
    const key = Object.hasOwn(given, name.slice(1)) ? name.slice(1) : name;
    if (!Object.hasOwn(given, key)) {
      throw new ProgrammingError(`You did not supply a value for binding parameter ${name}.`, MISUSE);
    }
    used.add(key);
    values[i] = bindValue(given[key], name);
  }
  const surplus = Object.keys(given).find((key) => !used.has(key));
  if (surplus !== undefined) {
    throw new ProgrammingError(`There is no binding parameter for the value "${surplus}".`, MISUSE);
  }
  return values;
}

/** better-sqlite3 binds by name without the prefix, so it cannot tell `:a` and `$a` apart. */
function refuseHomonyms(list: ParameterList, values: readonly SqlValue[]): void {
  const seen = new Map<string, number>();
  list.names?.forEach((name, i) => {
    if (name === null) return;
    const before = seen.get(name.slice(1));
    if (before !== undefined && !Object.is(values[before], values[i])) {
      throw new ProgrammingError(
        `the parameters ${list.names?.[before]} and ${name} cannot have different values`,
        MISUSE,
      );
    }
    seen.set(name.slice(1), i);
  });
}

/** One value in the form that is sent to the thread; `where` is its index from 1, or its name. */
export function bindValue(value: Bindable, where: number | string): SqlValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "object" || adaptsPrimitives) {
    const adapted = adapt(value);
    // The result of an adapter is not adapted again, as in CPython.
    if (adapted !== undefined) return bindPlain(adapted.value, where, value);
  }
  return bindPlain(value, where, value);
}

/** Binds a value that needs no adapter. Errors name the type of `origin`, which the caller gave. */
function bindPlain(value: unknown, where: number | string, origin: unknown): SqlValue {
  switch (typeof value) {
    case "number":
      return value;
    case "string":
      return checkText(value, where);
    case "undefined":
      return null;
    case "boolean":
      return value ? 1 : 0;
    case "bigint":
      if (value > MAX_INT64 || value < MIN_INT64) {
        throw new RangeError(`parameter ${where}: the bigint does not fit into SQLite's 64-bit INTEGER`);
      }
      return value;
    case "object":
      if (value === null) return null;
      // Copied at once, because the caller may go on using the memory.
      if (ArrayBuffer.isView(value)) return copyOf(value.buffer, value.byteOffset, value.byteLength, where);
      if (types.isAnyArrayBuffer(value)) {
        return copyOf(value, 0, value.byteLength, where);
      }
      throw typeError(origin, where);
    default:
      throw typeError(origin, where);
  }
}

function checkText(value: string, where: number | string): string {
  if (!value.isWellFormed()) {
    throw new DataError(`parameter ${where}: the text holds a lone surrogate and has no UTF-8 form`, {
      code: "SQLITE_MISMATCH",
    });
  }
  // SQLite counts bytes of UTF-8; a UTF-16 unit has up to three.
  if (value.length > MAX_LENGTH / 3 && Buffer.byteLength(value) > MAX_LENGTH) throw tooBig(where);
  return value;
}

/** Refuses a file name with a null character: the engine would cut it there, and open another file. */
export function refuseCutNames(values: readonly SqlValue[]): void {
  const cut = values.findIndex(
    (value) =>
      (typeof value === "string" && value.includes("\0")) || (types.isUint8Array(value) && value.includes(0)),
  );
  if (cut >= 0) throw new ProgrammingError(`parameter ${cut + 1}: the path holds a null character`, MISUSE);
}

function copyOf(memory: ArrayBufferLike, offset: number, length: number, where: number | string): Uint8Array {
  if (length > MAX_LENGTH) throw tooBig(where);
  if (types.isArrayBuffer(memory) && memory.detached) {
    throw new ProgrammingError(`parameter ${where}: its memory was transferred to somebody else`, MISUSE);
  }
  const copy = new Uint8Array(length);
  copy.set(new Uint8Array(memory, offset, length));
  return copy;
}

function countError(wanted: number, given: number): ProgrammingError {
  return new ProgrammingError(
    `Incorrect number of bindings supplied. The current statement uses ${wanted}, and there are ${given} supplied.`,
    MISUSE,
  );
}

function typeError(value: unknown, where: number | string): ProgrammingError {
  return new ProgrammingError(
    `Error binding parameter ${where}: type '${describe(value)}' is not supported${hintFor(value)}`,
    MISUSE,
  );
}

function hintFor(value: unknown): string {
  if (Object.prototype.toString.call(value) !== "[object Date]") return "";
  return "; registerAdapter(Date, (date) => date.toISOString()) says how dates are stored";
}

function tooBig(where: number | string): DataError {
  return new DataError(`parameter ${where}: string or blob too big`, { code: "SQLITE_TOOBIG" });
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "object";
}
