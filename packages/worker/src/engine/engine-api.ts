import type { SqlValue } from "../wire/protocol.js";

/** The part of better-sqlite3's Statement that is used here. */
export interface EngineStatement {
  readonly reader: boolean;
  readonly readonly: boolean;
  raw(toggle?: boolean): this;
  pluck(toggle?: boolean): this;
  safeIntegers(toggle?: boolean): this;
  bind(...args: unknown[]): this;
  all(...args: unknown[]): SqlValue[][];
  get(...args: unknown[]): unknown;
  run(...args: unknown[]): { changes: number; lastInsertRowid: number | bigint };
  iterate(...args: unknown[]): IterableIterator<SqlValue[]>;
  /** The text with its bound parameters filled in. */
  toString(): string;
  columns(): EngineColumn[];
}

/** A column of a result. Fields are null for an expression, and missing if the engine does not report them. */
export interface EngineColumn {
  readonly name: string;
  readonly type: string | null;
  readonly database?: string | null;
  readonly table?: string | null;
  readonly column?: string | null;
}

/** The part of better-sqlite3's Database that is used here. */
export interface EngineDatabase {
  readonly inTransaction: boolean;
  readonly memory: boolean;
  readonly open: boolean;
  /** False if the engine cannot serialize an in-memory database. */
  readonly serializes?: boolean;
  /** True if the engine reads a path that begins with `file:` as a URI. */
  readonly readsUris?: boolean;
  prepare(sql: string): EngineStatement;
  exec(sql: string): this;
  pragma(source: string, options?: { simple?: boolean }): unknown;
  function(name: string, options: object, fn: (...args: never[]) => unknown): this;
  aggregate(name: string, options: object): this;
  /** Missing if the engine has no virtual tables in JavaScript. */
  table?(name: string, definition: object): this;
  loadExtension(path: string, entryPoint?: string): this;
  backup(
    path: string,
    options: { attached: string; progress(info: { totalPages: number; remainingPages: number }): number },
  ): Promise<{ totalPages: number; remainingPages: number }>;
  serialize(options?: { attached?: string }): Buffer;
  unsafeMode(on: boolean): this;
  close(): this;
}

export type EngineConstructor = new (
  path: string | Buffer,
  options: { readonly: boolean; fileMustExist: boolean; timeout: number },
) => EngineDatabase;

/**
 * Prepares one of the driver's own statements. It reads integers as numbers, whatever default a setup module has set.
 */
export function prepareOwn(db: EngineDatabase, sql: string): EngineStatement {
  return db.prepare(sql).safeIntegers(false);
}
