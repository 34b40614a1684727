/** A user function: a closure of the main side, by number, or an export of a module that the thread loads. */
export type Source = { readonly closure: number } | { readonly module: string; readonly export: string };

/** Whether the thread loads it from a module. */
export function isModule(source: Source | null): boolean {
  return source !== null && "module" in source;
}

/** A SQL function, an aggregate, or an aggregate that is also a window function. */
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

/** A definition that SQL can call by name. */
export type Definition = FunctionSpec | CollationSpec | TableSpec;

/** The fields that identify a definition. */
export type DefinitionName =
  | Pick<FunctionSpec, "kind" | "name" | "parameters">
  | Pick<CollationSpec, "kind" | "name">
  | Pick<TableSpec, "kind" | "name">;

/** Definitions with the same key replace each other. SQLite ignores the case of ASCII letters in their names. */
export function definitionKey(definition: DefinitionName): string {
  const name = definition.name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return "parameters" in definition ? `${name}/${definition.parameters}` : `${definition.kind} ${name}`;
}

/** What an aggregate's closure has to do after the rows of a request. */
export const Ask = { NOTHING: 0, VALUE: 1, FINALIZE: 2 } as const;

/** A row that enters a group (0) or leaves its window (1), followed by its values. */
export type GroupRow = readonly [inverse: 0 | 1, ...values: unknown[]];

/** The arguments of an aggregate's closure; `over` are groups that have ended. */
export type GroupRequest = readonly [
  group: number,
  rows: readonly GroupRow[],
  ask: number,
  over: readonly number[],
];
