/** Where a function of the user's is: a closure of the main side by number, or an export of a module the thread loads. */
export type Source = { readonly closure: number } | { readonly module: string; readonly export: string };

/** Whether it is code that the thread loads. */
export function isModule(source: Source | null): boolean {
  return source !== null && "module" in source;
}

/** A SQL function, an aggregate, or an aggregate that can be a window function as well. */
export interface FunctionSpec {
  readonly kind: "function" | "aggregate" | "window";
  readonly name: string;
  /** -1 for any number. */
  readonly parameters: number;
  readonly deterministic: boolean;
  readonly directOnly: boolean;
  readonly innocuous: boolean;
  /** Null takes it away. */
  readonly source: Source | null;
}

export interface CollationSpec {
  readonly kind: "collation";
  readonly name: string;
  /** Null takes it away. */
  readonly source: Source | null;
}

/** A table-valued function, or a module for CREATE VIRTUAL TABLE, in better-sqlite3's form. */
export interface TableSpec {
  readonly kind: "table";
  readonly name: string;
  readonly source: Source;
}

/** What SQL finds under a name, and calls. */
export type Definition = FunctionSpec | CollationSpec | TableSpec;

/** What tells definitions apart. */
export type DefinitionName =
  | Pick<FunctionSpec, "kind" | "name" | "parameters">
  | Pick<CollationSpec, "kind" | "name">
  | Pick<TableSpec, "kind" | "name">;

/** Definitions that have the same key replace each other; of their names SQLite ignores the case of ASCII letters. */
export function definitionKey(definition: DefinitionName): string {
  const name = definition.name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return "parameters" in definition ? `${name}/${definition.parameters}` : `${definition.kind} ${name}`;
}

/** What an aggregate's closure is asked to do when it has gone through the rows that come with the question. */
export const Ask = { NOTHING: 0, VALUE: 1, FINALIZE: 2 } as const;

/** A row that comes into a group, or leaves its window: which of them, then the values. */
export type GroupRow = readonly [inverse: 0 | 1, ...values: unknown[]];

/** What an aggregate's closure is called with; `over` are groups that nothing is asked of any more. */
export type GroupRequest = readonly [
  group: number,
  rows: readonly GroupRow[],
  ask: number,
  over: readonly number[],
];
