/** One option: its default, and its check. */
export interface Option<V> {
  readonly fallback: V;
  /** Checks the given value and returns the one to use. Throws TypeError or RangeError. */
  readonly check: (given: unknown, name: string) => V;
}

/** Options by name. The table is the only place that lists known names and their checks. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** Options, checked and complete. */
export type Resolved<T extends OptionTable> = {
  readonly [name in keyof T]: T[name] extends Option<infer V> ? V : never;
};

/** Checks the options of a table and ignores others. Throws TypeError or RangeError. */
export function resolveTable<T extends OptionTable>(table: T, given: object): Resolved<T> {
  const resolved: Record<string, unknown> = {};
  for (const [name, { fallback, check }] of Object.entries(table)) {
    const value: unknown = Reflect.get(given, name);
    resolved[name] = value === undefined ? fallback : check(value, name);
  }
  return resolved as Resolved<T>;
}

/** Throws TypeError unless all names are in one of the tables. */
export function refuseUnknown(given: object, tables: readonly OptionTable[]): void {
  const unknown = Object.keys(given).find((name) => !tables.some((table) => Object.hasOwn(table, name)));
  if (unknown !== undefined) throw new TypeError(`unknown option "${unknown}"`);
}

/** An object with names. An array or a Map has none, so all that it holds would be ignored. */
export function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(Symbol.iterator in value);
}
