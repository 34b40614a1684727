// The callbacks of the cases, by their names in program.py.
import * as core from "@sqlite-aio/core";
import { type AggregateClass, type Connection, registerAdapter, SqliteRow } from "@sqlite-aio/core";

/** An error that a callback of a case throws. */
export class OnPurpose extends Error {}

export function fail(): never {
  throw new OnPurpose("on purpose");
}

export const FUNCTIONS: Record<string, (...values: never[]) => unknown> = {
  text: () => "foo",
  accents: () => "é€😀",
  zero: () => "a\0b",
  int: () => 42,
  real: () => 3.25,
  null: () => null,
  blob: () => Buffer.from("\x00\x01blob", "latin1"),
  empty: () => Buffer.alloc(0),
  long: () => 2 ** 31,
  nan: () => Number.NaN,
  beyond: () => 2n ** 63n,
  illegal: () => Symbol("illegal"),
  surrogate: () => "a\ud8ffb",
  much: () => "x".repeat(100),
  large: () => Buffer.alloc(100),
  view: () => new Uint8Array(Buffer.from("abcdef")).subarray(2, 4),
  fail,
  echo: (value: unknown) => value,
  count: (...values) => values.length,
  kind: (value: unknown) => {
    if (value === null) return "null";
    if (value instanceof Uint8Array) return "blob";
    if (typeof value === "string") return "text";
    return Number.isInteger(Number(value)) ? "integer" : "real";
  },
};

class Sum {
  total = 0;

  step(value: number): void {
    this.total += value;
  }

  inverse(value: number): void {
    this.total -= value;
  }

  value(): number {
    return this.total;
  }

  finalize(): number {
    return this.total;
  }
}

class Told extends Sum {
  override value(): never {
    return "value" as never;
  }

  override finalize(): never {
    return "finalize" as never;
  }
}

class Join {
  text = "";

  step(...values: (string | number | null)[]): void {
    this.text += `${values.map((value) => (value === null ? "None" : value)).join(",")};`;
  }

  finalize(): string {
    return this.text;
  }
}

const METHODS = ["step", "inverse", "value", "finalize"] as const;

function without(name: string): AggregateClass {
  const made = class {
    total = 0;
  };
  for (const method of METHODS)
    if (method !== name) Reflect.set(made.prototype, method, Sum.prototype[method]);
  return made as unknown as AggregateClass;
}

export function failing(name: string): AggregateClass {
  const made = class extends Sum {};
  Reflect.set(made.prototype, name, fail);
  return made;
}

class FailingConstructor extends Sum {
  constructor() {
    super();
    fail();
  }
}

export const CLASSES: Record<string, AggregateClass> = {
  sum: Sum,
  join: Join,
  told: Told,
  ...Object.fromEntries(METHODS.map((name) => [`without ${name}`, without(name)])),
  ...Object.fromEntries(METHODS.map((name) => [`failing ${name}`, failing(name)])),
  "failing constructor": FailingConstructor,
};

export const COLLATIONS: Record<string, (a: string, b: string) => number> = {
  reverse: (a, b) => Number(a < b) - Number(a > b),
  large: (a, b) => (Number(a > b) - Number(a < b)) * 2 ** 32,
  same: () => 0,
  text: () => "less" as never,
  fail,
};

type Ask = (action: number, one: string | null, two: string | null) => number;
const { SQLITE_DENY, SQLITE_IGNORE, SQLITE_OK, SQLITE_READ, SQLITE_SELECT } = core;
export const AUTHORIZERS: Record<string, Ask> = {
  allow: () => SQLITE_OK,
  "deny table": (action, one) => (action === SQLITE_READ && one === "t2" ? SQLITE_DENY : SQLITE_OK),
  "deny column": (action, _, two) => (action === SQLITE_READ && two === "c2" ? SQLITE_DENY : SQLITE_OK),
  "ignore column": (action, _, two) => (action === SQLITE_READ && two === "c2" ? SQLITE_IGNORE : SQLITE_OK),
  "only select": (action) => (action === SQLITE_SELECT ? SQLITE_OK : SQLITE_DENY),
  fail,
  text: () => "no" as never,
  large: () => 2 ** 32,
};

export const CONVERTERS: Record<string, (bytes: Buffer) => unknown> = {
  upper: (bytes) => bytes.toString().toUpperCase(),
  length: (bytes) => bytes.length,
  number: (bytes) => Number(bytes.toString()),
  none: () => null,
  fail,
};

export const ROW_FACTORIES: Record<string, Connection["rowFactory"]> = {
  none: null,
  row: SqliteRow,
  dict: (cursor, row: unknown[]) =>
    Object.fromEntries(cursor.description!.map(([name], i) => [name, row[i]])),
  last: (_, row: unknown[]) => row.at(-1),
  fail,
};

export const TEXT_FACTORIES: Record<string, Connection["textFactory"]> = {
  str: String,
  bytes: Buffer,
  upper: (bytes) => bytes.toString().toUpperCase(),
  fail,
};

class Point {
  readonly x = 4;
  readonly y = -3;
}

registerAdapter(Point, ({ x, y }) => `${x};${y}`);

export const OBJECTS: Record<string, () => unknown> = {
  point: () => new Point(),
  unknown: () => new Map(),
  date: () => new Date("2026-11-29T00:00:00Z"),
  view: () => new Uint8Array(Buffer.from("abcdef")).subarray(2, 4),
  surrogate: () => "a\ud8ffb",
};

export const HANDLERS: Record<string, () => unknown> = { stop: () => true, go: () => null, fail };
