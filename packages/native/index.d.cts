/** A number that means one open SQLite handle, in every thread, and after its close none. */
export type Token = number;

/** What this package adds. */
export interface Capabilities {
  readonly interrupt: true;
  readonly authorizer: true;
  readonly changes: true;
  readonly statements: true;
  readonly limits: true;
  readonly hooks: true;
  readonly functions: true;
  readonly blobs: true;
  readonly images: true;
  readonly prefixes: true;
}

/**
 * Says whether a statement being prepared may do something: `0` (SQLITE_OK), `1` (SQLITE_DENY) or `2`
 * (SQLITE_IGNORE); a throw or anything else denies. The arguments are those of
 * https://sqlite.org/c3ref/set_authorizer.html. It must not use the handle it is asked about.
 */
export type Authorizer = (
  action: number,
  arg1: string | null,
  arg2: string | null,
  dbName: string | null,
  trigger: string | null,
) => number;

/** A table that committed transactions changed. */
export interface TableChange {
  /** The schema name: `"main"`, `"temp"` or the name given to ATTACH. */
  readonly database: string;
  readonly table: string;
  /**
   * The rows inserted, updated or deleted, each once; `null` when there were too many or it is not known. Missing are
   * rows that ON CONFLICT REPLACE removed and the former rowid of an UPDATE that changed it
   * (https://sqlite.org/c3ref/update_hook.html).
   */
  readonly rowids: bigint[] | null;
}

/** What one statement touches, triggers and foreign key actions included, each table once as `[database, table]`. */
export interface StatementAnalysis {
  /** Tables it reads; the views and table-valued functions it names may be among them. */
  readonly reads: [database: string, table: string][];
  /** Tables it may change, and views that a trigger writes through. */
  readonly writes: [database: string, table: string][];
  /** Those of `writes` that change tracking cannot see: virtual tables and those WITHOUT ROWID. See {@link markChanged}. */
  readonly untracked: [database: string, table: string][];
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
  /** It creates, drops, alters, reindexes, analyzes, attaches or detaches something. */
  readonly schema: boolean;
}

/** The binary, for `db.loadExtension()`; in Electron the file outside of the asar archive. */
export const path: string;

/** The version of this package that the binary was built from. */
export const version: string;

export const capabilities: Capabilities;

/**
 * Loads the extension into a better-sqlite3 handle and gives its token; again for the same handle, the same token.
 * Errors of `loadExtension()` pass through.
 */
export function attach(database: { loadExtension(path: string): unknown }): Token;

/** The token of the open handle into which this thread loaded the extension last, `null` if there is none. */
export function lastToken(): Token | null;

/**
 * Stops what the handle is running (https://sqlite.org/c3ref/interrupt.html), from any thread; `false`, and nothing
 * else, when the handle is closed. With nothing running it has no effect.
 */
export function interrupt(token: Token): boolean;

/**
 * The number of this thread's environment, 0 where the program does not let its event loop be watched. From the first call
 * on, when a Worker's environment is ended (`terminate()`, `process.exit()`, the end of its parent), what the handles that
 * {@link stopWith} named are running is interrupted until its nested threads have ended.
 */
export function environment(): number;

/**
 * Lets statements of the handle end with an environment, as {@link environment} gave its number in the thread that started
 * this one; 0: with none. Errors as {@link setAuthorizer}.
 */
export function stopWith(token: Token, environment: number): void;

/**
 * Asks `authorizer` about every statement prepared from now on; `null` removes it. Statements prepared earlier are
 * prepared again at their next use. Only in the thread that opened the handle (`ERR_SQLITE_AIO_NATIVE_THREAD`) while
 * it is open (`ERR_SQLITE_AIO_NATIVE_CLOSED`) and not inside an authorizer (`ERR_SQLITE_AIO_NATIVE_BUSY`).
 */
export function setAuthorizer(token: Token, authorizer: Authorizer | null): void;

/**
 * Starts or stops collecting changed tables, at most `rowidLimit` (default 1000) rowids of each. A change made before
 * it was started is not seen. Replaces the update, commit and rollback hooks of the handle. Errors as
 * {@link setAuthorizer}.
 */
export function trackChanges(token: Token, on: boolean, rowidLimit?: number): void;

/**
 * What transactions committed since the last call changed, `null` if nothing. Changes undone by ROLLBACK TO are
 * included. Errors as {@link setAuthorizer}; `ERR_SQLITE_AIO_NATIVE_MEMORY` means that any table may have changed.
 */
export function takeChanges(token: Token): TableChange[] | null;

/**
 * Notes a change that tracking cannot see. In a transaction it is reported after COMMIT and dropped by ROLLBACK,
 * outside of one reported by the next {@link takeChanges}: call it after the statement has run. Does nothing unless
 * tracking is on. Errors as {@link setAuthorizer}.
 */
export function markChanged(token: Token, database: string, table: string): void;

/**
 * Prepares the first statement of `sql`, never runs it, and tells what it would touch, by the schema as the handle has
 * read it last. The handle's authorizer is not asked. An error of SQLite's has the code `ERR_SQLITE_AIO_NATIVE_SQL` and its extended result code as `errcode`;
 * other errors as {@link setAuthorizer}.
 */
export function analyze(token: Token, sql: string): StatementAnalysis;

/** A number that means one prepared statement of one handle, and none once it is finalized. */
export type StatementId = number;

export interface PreparedStatement {
  readonly id: StatementId;
  /** 0 for a statement that gives no rows. As of now: another connection may alter a table. */
  readonly columns: number;
  /** The highest index of a parameter. */
  readonly parameters: number;
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}

/** A column of a result; `database`, `table` and `column` say where it comes from, `null` for an expression. */
export interface ColumnDescription {
  readonly name: string;
  /** The declared type, `null` for an expression. */
  readonly type: string | null;
  readonly database: string | null;
  readonly table: string | null;
  readonly column: string | null;
}

/** What binds: a safe integer is stored as INTEGER, but for `-0`; other numbers as REAL, `NaN` as NULL. */
export type Value = null | number | bigint | string | Uint8Array;

/** How INTEGER values are read: 0: a number where it is safe, else a bigint; 1: always a bigint; 2: always a number. */
export type IntegerMode = 0 | 1 | 2;

/**
 * Compiles one statement on the engine's own handle; `null` for a text without any. Its errors, and those of the
 * functions below, have SQLite's code (such as `SQLITE_CONSTRAINT_UNIQUE`) and its number as `errcode`;
 * `ERR_SQLITE_AIO_NATIVE_MULTIPLE` where more than one statement is in the text, `ERR_SQLITE_AIO_NATIVE_FINALIZED`
 * for a statement that is finalized, `ERR_SQLITE_AIO_NATIVE_BUSY` inside of a function that a statement of the handle calls;
 * others as {@link setAuthorizer}.
 *
 * A handle on which functions of JavaScript may run needs {@link guard}.
 */
export function prepare(token: Token, sql: string): PreparedStatement | null;

/** Frees a statement, or all of the handle. Closing the handle does so first. */
export function finalize(token: Token, statement?: StatementId): void;

/** The columns of a result, as the statement was compiled last. */
export function columns(token: Token, statement: StatementId): ColumnDescription[];

/** Ends a run of the statement: its locks are let go of. */
export function reset(token: Token, statement: StatementId): void;

/** Begins a new run with these values, in the order of their indexes. Texts and blobs are copied. */
export function bind(token: Token, statement: StatementId, values: readonly Value[]): void;

/**
 * Steps, and packs up to `limit` rows, fewer where they have about `bytes` bytes, at least one. The layout of the block
 * is described in `src/packing.h`. `only` ends the run behind them. What a step throws behind rows is thrown by the next
 * call; where it throws at once, with a lock for example, the parameters stay bound and the next call begins anew. Between
 * two rows it looks for the mark of operation `sequence` in the worker's `control` block, and throws SQLITE_INTERRUPT. A block
 * that fits into `into`, which begins at a multiple of 8 bytes, is written there, and null is given.
 */
export function rows<Into extends Uint8Array | undefined = undefined>(
  token: Token,
  statement: StatementId,
  limit: number,
  bytes: number,
  mode: IntegerMode,
  only: boolean,
  control?: Int32Array,
  sequence?: number,
  into?: Into,
): ArrayBuffer | (Into extends Uint8Array ? null : never);

/**
 * Runs the statement for each parameter set of `packet` (`[sets, ...columns]` as in the worker's wire/rows/row-encode.ts) from set `from` on.
 * Gives the last rowid. Whatever happens, `progress` tells the next set, which is the one that failed if it throws, and how many
 * rows were changed.
 */
export function runMany(
  token: Token,
  statement: StatementId,
  packet: readonly unknown[],
  from: number,
  progress: Float64Array,
  control?: Int32Array,
  sequence?: number,
): bigint;

/**
 * Runs `count` small statements one after the other, as `src/points.h` describes them and their results. It ends before
 * one that is cancelled, or whose rows are more than its limit or find no room, after one that was interrupted, and after
 * one at whose end `ms` milliseconds are over: the first of `cells` tell how many are done, and where in `input` and `bytes`
 * the next begins; behind a write that has failed, `text` tells with what. What a read fails with is thrown.
 */
export function runPoints(
  token: Token,
  count: number,
  input: Float64Array,
  inputFrom: number,
  bytes: Uint8Array,
  bytesFrom: number,
  cells: Float64Array,
  tags: Uint8Array,
  text: Uint8Array,
  control?: Int32Array,
  sequence?: number,
  ms?: number,
): void;

/**
 * While on, {@link prepare}, {@link rows}, {@link runMany} and {@link runPoints} work inside of a statement of `database`, so that
 * better-sqlite3 knows that it is busy: a function that throws, uses or closes the database meanwhile would end the process
 * otherwise. It costs 2 us a call. Needed where functions, aggregates, virtual tables or an authorizer of JavaScript's may run.
 */
export function guard(
  database: { prepare(sql: string): { pluck(): { get(): unknown } } },
  token: Token,
  on: boolean,
): void;
/** Rows, commits and rollbacks in the order in which they were; see {@link recordEvents}. */
export interface EventLog {
  readonly tables: [database: string, table: string][];
  /**
   * Int32: an action (`18` SQLITE_INSERT, `9` SQLITE_DELETE, `23` SQLITE_UPDATE) and above it the number of the table
   * among `tables`, times 256; or `0` for a commit, `1` for a rollback.
   */
  readonly events: ArrayBuffer;
  /** Int64, one for each event; 0 for a commit and a rollback. */
  readonly rowids: ArrayBuffer;
}

/**
 * Records what SQLite's hooks tell: a sum of 1 (https://sqlite.org/c3ref/update_hook.html), 2 (commits, which are told
 * when they have succeeded) and 4 (rollbacks); 0 ends that. A DELETE without WHERE is told row by row. Errors as
 * {@link setAuthorizer}.
 */
export function recordEvents(token: Token, what: number): void;

/** What was recorded since the last call, `null` if nothing. Errors as {@link takeChanges}. */
export function takeEvents(token: Token): EventLog | null;

/**
 * Sets a limit (https://sqlite.org/c3ref/limit.html), unless it is below zero, and gives the one before; -1 where there
 * is no such category. Errors as {@link setAuthorizer}.
 */
export function limit(token: Token, category: number, limit: number): number;

/**
 * Turns a switch of the handle on or off (https://sqlite.org/c3ref/c_dbconfig_defensive.html) if `enable` is given, and
 * tells how it is then. An `op` that is no switch throws with the code `SQLITE_ERROR`; other errors as
 * {@link setAuthorizer}.
 */
export function config(token: Token, op: number, enable?: boolean): boolean;

/**
 * Registers a function of JavaScript's, `null` takes it away: 0, one of a row's values; 1, an aggregate; 2, one that can be
 * a window function as well. `flags` are those of https://sqlite.org/c3ref/create_function.html but for the encoding.
 * A function of kind 0 is given the values. One of the other kinds is given what is to be done (1: step, 2: inverse,
 * 3: value, 4: finalize), the number of the group, and for the first two the values of a row, for which it gives `null`;
 * a group without rows is never begun. `undefined`, or a throw, fails the statement. Errors as {@link prepare}.
 */
export function defineFunction(
  token: Token,
  name: string,
  parameters: number,
  flags: number,
  kind: 0 | 1 | 2,
  mode: IntegerMode,
  fn: ((...args: never[]) => Value | undefined) | null,
): void;

/**
 * Registers a collation, `null` takes it away. `compare` gives a number below zero, zero, or above; a throw, or anything
 * else, counts as zero. Errors as {@link prepare}.
 */
export function defineCollation(
  token: Token,
  name: string,
  compare: ((left: string, right: string) => number) | null,
): void;

/** A number that means one open blob of one handle, and none once it is closed. */
export type BlobId = number;

/**
 * Opens the value of one column in one row for reading, and writing if `writable` (https://sqlite.org/c3ref/blob_open.html); gives its
 * number and its length in bytes. Closing the handle closes it first. Errors as {@link prepare}.
 */
export function blobOpen(
  token: Token,
  database: string,
  table: string,
  column: string,
  rowid: bigint,
  writable: boolean,
): { id: BlobId; bytes: number };

/** Fills `bytes` with what is in the blob from `offset` on. Errors as {@link prepare}; SQLITE_ABORT where the row has changed since. */
export function blobRead(token: Token, blob: BlobId, bytes: Uint8Array, offset: number): void;

/** Puts `bytes` into the blob, whose length stays, from `offset` on. Errors as {@link blobRead}. */
export function blobWrite(token: Token, blob: BlobId, bytes: Uint8Array, offset: number): void;

/** Closes a blob; one that was written outside a transaction is committed by that. Errors as {@link blobRead}. */
export function blobClose(token: Token, blob: BlobId): void;

/**
 * Lets a database of the handle be one in memory with these contents (https://sqlite.org/c3ref/deserialize.html); what it was
 * before is closed. No statement may be half read. Errors as {@link prepare}.
 */
export function deserialize(token: Token, database: string, image: Uint8Array): void;

/**
 * Puts the contents of the main database of one handle in the place of those of another's, both of this thread
 * (https://sqlite.org/c3ref/backup_finish.html): all at once, in a transaction of its own. Errors as {@link prepare}; `SQLITE_BUSY`
 * where another connection has one of them locked.
 */
export function copyInto(source: Token, target: Token): void;

/**
 * While on, the engine of the handle opens a path that begins with `file:sqlite-aio-memory/` as a database in the memory of the process,
 * which all that use one name share, and one that begins with `file:sqlite-aio-immutable/` as a file that does not change
 * (https://sqlite.org/c3ref/c_iocap_atomic.html), which is the path behind that. It counts how often it was turned on, for the whole process. `false`
 * where the engine has no databases in memory that can be shared. Errors as {@link setAuthorizer}.
 */
export function usePrefixes(token: Token, on: boolean): boolean;
