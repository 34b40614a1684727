/**
 * The package's public types: the declarations of sqlite3 6, and what its documentation has beyond them. This file has
 * no code; `index.ts` is checked against it.
 *
 * @module @sqlite-aio/sqlite3
 */
import type { EventEmitter } from "node:events";

export declare const OPEN_READONLY: number;
export declare const OPEN_READWRITE: number;
export declare const OPEN_CREATE: number;
export declare const OPEN_FULLMUTEX: number;
export declare const OPEN_SHAREDCACHE: number;
export declare const OPEN_PRIVATECACHE: number;
export declare const OPEN_URI: number;

export declare const VERSION: string;
export declare const SOURCE_ID: string;
export declare const VERSION_NUMBER: number;

export declare const OK: number;
export declare const ERROR: number;
export declare const INTERNAL: number;
export declare const PERM: number;
export declare const ABORT: number;
export declare const BUSY: number;
export declare const LOCKED: number;
export declare const NOMEM: number;
export declare const READONLY: number;
export declare const INTERRUPT: number;
export declare const IOERR: number;
export declare const CORRUPT: number;
export declare const NOTFOUND: number;
export declare const FULL: number;
export declare const CANTOPEN: number;
export declare const PROTOCOL: number;
export declare const EMPTY: number;
export declare const SCHEMA: number;
export declare const TOOBIG: number;
export declare const CONSTRAINT: number;
export declare const MISMATCH: number;
export declare const MISUSE: number;
export declare const NOLFS: number;
export declare const AUTH: number;
export declare const FORMAT: number;
export declare const RANGE: number;
export declare const NOTADB: number;

export declare const LIMIT_LENGTH: number;
export declare const LIMIT_SQL_LENGTH: number;
export declare const LIMIT_COLUMN: number;
export declare const LIMIT_EXPR_DEPTH: number;
export declare const LIMIT_COMPOUND_SELECT: number;
export declare const LIMIT_VDBE_OP: number;
export declare const LIMIT_FUNCTION_ARG: number;
export declare const LIMIT_ATTACHED: number;
export declare const LIMIT_LIKE_PATTERN_LENGTH: number;
export declare const LIMIT_VARIABLE_NUMBER: number;
export declare const LIMIT_TRIGGER_DEPTH: number;
export declare const LIMIT_WORKER_THREADS: number;

/** Databases that are opened once per file. */
export declare const cached: {
  Database(filename: string, callback?: (this: Database, err: Error | null) => void): Database;
  Database(filename: string, mode?: number, callback?: (this: Database, err: Error | null) => void): Database;
  /** By the path of their file. */
  readonly objects: Record<string, Database>;
};

/** A statement that has run: `this` of a callback of `run()`. */
export interface RunResult extends Statement {
  /** `last_insert_rowid()`. */
  lastID: number;
  /** Rows that the last INSERT, UPDATE or DELETE has changed. */
  changes: number;
}

/** A statement that is compiled once and can be run many times. */
export declare class Statement extends EventEmitter {
  constructor(database: Database, sql: string, callback?: (err: Error | null) => void);

  /** The text that it was prepared from. */
  readonly sql: string;

  /** Sets the values of parameters, and starts over. */
  bind(callback?: (err: Error | null) => void): this;
  bind(...params: any[]): this;

  /** Starts over: the next `get()` gives the first row. */
  reset(callback?: (err: null) => void): this;

  /** Frees the statement when all earlier calls are answered. */
  finalize(callback?: (err: Error) => void): Database;

  /** Runs the first step. */
  run(callback?: (err: Error | null) => void): this;
  run(params: any, callback?: (this: RunResult, err: Error | null) => void): this;
  run(...params: any[]): this;

  /** Gives the next row: the first one if values are given, or if there was none yet. */
  get<T>(callback?: (err: Error | null, row?: T) => void): this;
  get<T>(params: any, callback?: (this: RunResult, err: Error | null, row?: T) => void): this;
  get(...params: any[]): this;

  /** Gives all rows. */
  all<T>(callback?: (err: Error | null, rows: T[]) => void): this;
  all<T>(params: any, callback?: (this: RunResult, err: Error | null, rows: T[]) => void): this;
  all(...params: any[]): this;

  /** Calls the first function for each row, and the second one with their number when there are no more. */
  each<T>(
    callback?: (err: Error | null, row: T) => void,
    complete?: (err: Error | null, count: number) => void,
  ): this;
  each<T>(
    params: any,
    callback?: (this: RunResult, err: Error | null, row: T) => void,
    complete?: (err: Error | null, count: number) => void,
  ): this;
  each(...params: any[]): this;

  /** Gives an object: its keys are the first column; its values the second one, or the rows if there are more. */
  map<T>(callback: (err: Error | null, rows: Record<string, T>) => void): this;
  map(...params: any[]): this;
}

/** A copy of a database from or into a file, one step at a time. */
export declare class Backup extends EventEmitter {
  constructor(
    database: Database,
    filename: string,
    sourceName: string,
    destName: string,
    filenameIsDest: boolean,
    callback?: (err: Error | null) => void,
  );

  readonly filename: string;
  readonly sourceName: string;
  readonly destName: string;
  readonly filenameIsDest: boolean;
  /** It has begun, and no call of it waits, runs, or is in its callback. */
  readonly idle: boolean;
  /** Everything is copied. */
  readonly completed: boolean;
  /** It has ended, and not everything was copied. */
  readonly failed: boolean;
  /** Remaining pages, as of the last step. */
  readonly remaining: number;
  /** All pages, as of the last step. */
  readonly pageCount: number;
  /** Result codes of a step that do not end the backup. If the list is empty, none does. */
  retryErrors: number[];

  /** Copies this many pages; all that remain if the number is negative. */
  step(pages: number, callback?: (this: Backup, err: Error | null, completed: boolean) => void): this;

  /** Ends it, whether everything is copied or not. */
  finish(callback?: (this: Backup, err?: Error) => void): this;
}

/** One database. */
export declare class Database extends EventEmitter {
  constructor(filename: string, callback?: (err: Error | null) => void);
  constructor(filename: string, mode?: number, callback?: (err: Error | null) => void);

  /** The name that it was opened with. */
  readonly filename: string;
  /** The flags it was opened with. */
  readonly mode: number;
  /** Whether it is open. */
  readonly open: boolean;

  /** Closes it when all earlier calls are answered. */
  close(callback?: (err: Error | null) => void): void;

  /** Runs a statement's first step. */
  run(sql: string, callback?: (this: RunResult, err: Error | null) => void): this;
  run(sql: string, params: any, callback?: (this: RunResult, err: Error | null) => void): this;
  run(sql: string, ...params: any[]): this;

  /** Gives a statement's first row. */
  get<T>(sql: string, callback?: (this: Statement, err: Error | null, row: T) => void): this;
  get<T>(sql: string, params: any, callback?: (this: Statement, err: Error | null, row: T) => void): this;
  get(sql: string, ...params: any[]): this;

  /** Gives all rows of a statement. */
  all<T>(sql: string, callback?: (this: Statement, err: Error | null, rows: T[]) => void): this;
  all<T>(sql: string, params: any, callback?: (this: Statement, err: Error | null, rows: T[]) => void): this;
  all(sql: string, ...params: any[]): this;

  /** Calls the first function for each row of a statement, and the second one with their number when there are no more. */
  each<T>(
    sql: string,
    callback?: (this: Statement, err: Error | null, row: T) => void,
    complete?: (err: Error | null, count: number) => void,
  ): this;
  each<T>(
    sql: string,
    params: any,
    callback?: (this: Statement, err: Error | null, row: T) => void,
    complete?: (err: Error | null, count: number) => void,
  ): this;
  each(sql: string, ...params: any[]): this;

  /** Gives an object: its keys are the first column; its values the second one, or the rows if there are more. */
  map<T>(sql: string, callback: (this: Statement, err: Error | null, rows: Record<string, T>) => void): this;
  map(sql: string, ...params: any[]): this;

  /** Runs all statements of a text. */
  exec(sql: string, callback?: (this: Statement, err: Error | null) => void): this;

  /** Prepares a statement, and binds values if there are any. */
  prepare(sql: string, callback?: (this: Statement, err: Error | null) => void): Statement;
  prepare(sql: string, params: any, callback?: (this: Statement, err: Error | null) => void): Statement;
  prepare(sql: string, ...params: any[]): Statement;

  /** From now on, or within `callback`, each call starts when the earlier ones are answered. */
  serialize(callback?: () => void): void;
  /** From now on, or within `callback`, calls do not wait for each other. */
  parallelize(callback?: () => void): void;

  on(event: "trace", listener: (sql: string) => void): this;
  on(event: "profile", listener: (sql: string, time: number) => void): this;
  on(event: "change", listener: (type: string, database: string, table: string, rowid: number) => void): this;
  on(event: "error", listener: (err: Error) => void): this;
  on(event: "open" | "close", listener: () => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;

  /** Milliseconds to wait for a lock. */
  configure(option: "busyTimeout", value: number): void;
  /** One of the `LIMIT_` constants, and its value. */
  configure(option: "limit", id: number, value: number): void;
  /** Turns an event on or off; `on()` and `removeListener()` do so by themselves. */
  configure(option: "trace" | "profile" | "change", value: unknown): void;

  /** Loads a SQLite extension. */
  loadExtension(filename: string, callback?: (err: Error | null) => void): this;

  /** Calls back when all earlier calls are answered. */
  wait(callback?: (param: null) => void): this;

  /** Stops the running statement. */
  interrupt(): void;

  /**
   * Begins to copy the database into a file, or any database of the connection from or into any database of the file.
   */
  backup(filename: string, callback?: (this: Backup, err: Error | null) => void): Backup;
  backup(
    filename: string,
    sourceName: string,
    destName: string,
    filenameIsDest: boolean,
    callback?: (this: Backup, err: Error | null) => void,
  ): Backup;
}

/**
 * From now on the stack of an error that a callback gets also shows the call, with its arguments. Returns the package.
 */
export declare function verbose(): sqlite3;

/** The package. */
export interface sqlite3 {
  OPEN_READONLY: number;
  OPEN_READWRITE: number;
  OPEN_CREATE: number;
  OPEN_FULLMUTEX: number;
  OPEN_SHAREDCACHE: number;
  OPEN_PRIVATECACHE: number;
  OPEN_URI: number;
  VERSION: string;
  SOURCE_ID: string;
  VERSION_NUMBER: number;
  OK: number;
  ERROR: number;
  INTERNAL: number;
  PERM: number;
  ABORT: number;
  BUSY: number;
  LOCKED: number;
  NOMEM: number;
  READONLY: number;
  INTERRUPT: number;
  IOERR: number;
  CORRUPT: number;
  NOTFOUND: number;
  FULL: number;
  CANTOPEN: number;
  PROTOCOL: number;
  EMPTY: number;
  SCHEMA: number;
  TOOBIG: number;
  CONSTRAINT: number;
  MISMATCH: number;
  MISUSE: number;
  NOLFS: number;
  AUTH: number;
  FORMAT: number;
  RANGE: number;
  NOTADB: number;
  LIMIT_LENGTH: number;
  LIMIT_SQL_LENGTH: number;
  LIMIT_COLUMN: number;
  LIMIT_EXPR_DEPTH: number;
  LIMIT_COMPOUND_SELECT: number;
  LIMIT_VDBE_OP: number;
  LIMIT_FUNCTION_ARG: number;
  LIMIT_ATTACHED: number;
  LIMIT_LIKE_PATTERN_LENGTH: number;
  LIMIT_VARIABLE_NUMBER: number;
  LIMIT_TRIGGER_DEPTH: number;
  LIMIT_WORKER_THREADS: number;

  cached: typeof cached;
  RunResult: RunResult;
  Statement: typeof Statement;
  Database: typeof Database;
  Backup: typeof Backup;
  verbose(): this;
}
