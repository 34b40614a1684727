/** One option: what it is where it is not given, and how it is checked where it is. */
export interface Option<V> {
  readonly fallback: V;
  /** What is used of it. Throws TypeError or RangeError. */
  readonly check: (given: unknown, name: string) => V;
}

/** The options of something, by their names. Which names are known, and what they become, is said here and nowhere else. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** Options, checked and complete. */
export type Resolved<T extends OptionTable> = {
  readonly [name in keyof T]: T[name] extends Option<infer V> ? V : never;
};

/** Checks the options of a table, whatever else there is. Throws TypeError or RangeError. */
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
