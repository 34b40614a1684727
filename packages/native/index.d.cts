/** A number that identifies one open SQLite handle in all threads. After its close the number is never used again. */
export type Token = number;

/** Features that this package adds. */
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
 * Decides whether a statement that is being prepared may do something. Returns `0` (SQLITE_OK), `1` (SQLITE_DENY) or
 * `2` (SQLITE_IGNORE); a throw or any other value denies. The arguments are those of
 * https://sqlite.org/c3ref/set_authorizer.html. It must not use the handle about which it is asked.
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
   * The inserted, updated and deleted rows, each once; `null` if there were too many or it is not known. Rows that ON
   * CONFLICT REPLACE removed are missing, and so is the old rowid after an UPDATE that changed it
   * (https://sqlite.org/c3ref/update_hook.html).
   */
  readonly rowids: bigint[] | null;
}

/**
 * What one statement reads and writes, including its triggers and foreign key actions. Each table is listed once as
 * `[database, table]`.
 */
export interface StatementAnalysis {
  /** Tables that it reads; may include the views and table-valued functions that it names. */
  readonly reads: [database: string, table: string][];
  /** Tables that it may change, and views with INSTEAD OF triggers through which it writes. */
  readonly writes: [database: string, table: string][];
  /**
   * The tables in `writes` whose changes tracking cannot see: virtual tables and WITHOUT ROWID tables. See {@link
   * markChanged}.
   */
  readonly untracked: [database: string, table: string][];
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
  /** It creates, drops, alters, reindexes, analyzes, attaches or detaches something. */
  readonly schema: boolean;
}

/** Path of the binary, for `db.loadExtension()`; in Electron the file outside the asar archive. */
export const path: string;

/** The package version from which the binary was built. */
export const version: string;

export const capabilities: Capabilities;

/**
 * Loads the extension into a better-sqlite3 handle and returns its token; for the same handle, always the same token.
 * Errors of `loadExtension()` pass through.
 */
export function attach(database: { loadExtension(path: string): unknown }): Token;

/** The token of the open handle into which this thread last loaded the extension; `null` if there is none. */
export function lastToken(): Token | null;

/**
 * Stops the running statements of the handle (https://sqlite.org/c3ref/interrupt.html). May be called from any thread.
 * Returns `false` without doing anything if the handle is closed. Has no effect if nothing runs.
 */
export function interrupt(token: Token): boolean;

/**
 * Rolls back the transaction of a handle whose next statements would all be interrupted, too: SQLite keeps an interrupt
 * while a statement is under way, and an R-tree has one from a write to the end of the transaction. Call it when your own
 * statements are reset. True if it has rolled back. Errors as {@link setAuthorizer}.
 */
export function undoInterrupted(token: Token): boolean;

/**
 * The number of this thread's environment; 0 if the program does not let its event loop be watched. After the first
 * call: when a Worker's environment is ended (`terminate()`, `process.exit()`, the end of its parent), the running
 * statements of the handles that {@link stopWith} named are interrupted until the Worker's nested threads have ended.
 */
export function environment(): number;

/**
 * Makes the handle's statements end with an environment. {@link environment} returns its number in the thread that
 * started this one; 0 means none. Errors as {@link setAuthorizer}.
 */
export function stopWith(token: Token, environment: number): void;

/**
 * Asks `authorizer` about every statement that is prepared from now on; `null` removes it. Earlier statements are
 * prepared again at their next use. May only be called in the thread that opened the handle
 * (`ERR_SQLITE_AIO_NATIVE_THREAD`), while it is open (`ERR_SQLITE_AIO_NATIVE_CLOSED`), and not inside an authorizer
 * (`ERR_SQLITE_AIO_NATIVE_BUSY`).
 */
export function setAuthorizer(token: Token, authorizer: Authorizer | null): void;

/**
 * Starts or stops collecting changed tables, with at most `rowidLimit` (default 1000) rowids per table. Earlier changes
 * are not included. Replaces the handle's update, commit and rollback hooks. Errors as {@link setAuthorizer}.
 */
export function trackChanges(token: Token, on: boolean, rowidLimit?: number): void;

/**
 * The changes of transactions that committed since the last call; `null` if there are none. Changes undone by ROLLBACK
 * TO are included. Errors as {@link setAuthorizer}; after `ERR_SQLITE_AIO_NATIVE_MEMORY` any table may have changed.
 */
export function takeChanges(token: Token): TableChange[] | null;

/**
 * Adds a change that tracking cannot see. Inside a transaction it is reported after COMMIT and dropped by ROLLBACK;
 * outside, the next {@link takeChanges} reports it, so call this after the statement has run. Does nothing unless
 * tracking is on. Errors as {@link setAuthorizer}.
 */
export function markChanged(token: Token, database: string, table: string): void;

/**
 * Prepares the first statement of `sql` without running it, and returns what it would read and write according to the
 * schema that the handle last read. Does not ask the handle's authorizer. An SQLite error has the code
 * `ERR_SQLITE_AIO_NATIVE_SQL` and its extended result code as `errcode`; other errors as {@link setAuthorizer}.
 */
export function analyze(token: Token, sql: string): StatementAnalysis;

/**
 * A number that identifies one prepared statement of a handle. After it is finalized the number is never used again.
 */
export type StatementId = number;

export interface PreparedStatement {
  readonly id: StatementId;
  /** Number of columns; 0 for a statement without rows. May change if another connection alters a table. */
  readonly columns: number;
  /** The highest parameter index. */
  readonly parameters: number;
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}

/** A column of a result. `database`, `table` and `column` name its source, `null` for an expression. */
export interface ColumnDescription {
  readonly name: string;
  /** The declared type, `null` for an expression. */
  readonly type: string | null;
  readonly database: string | null;
  readonly table: string | null;
  readonly column: string | null;
}

/** A value to bind. A safe integer other than `-0` is stored as INTEGER, other numbers as REAL, `NaN` as NULL. */
export type Value = null | number | bigint | string | Uint8Array;

/**
 * How INTEGER values are read: 0: as a number if it is safe, else as a bigint; 1: always as a bigint; 2: always as a
 * number.
 */
export type IntegerMode = 0 | 1 | 2;

/** An {@link IntegerMode}; with 4 added, each byte of a TEXT value's UTF-8 is read as a character. */
export type ValueMode = IntegerMode | 4 | 5 | 6;

/**
 * Compiles one statement on the engine's own handle; `null` for a text without a statement. Errors of this function and
 * the ones below have SQLite's code (such as `SQLITE_CONSTRAINT_UNIQUE`) and its number as `errcode`. Further codes:
 * `ERR_SQLITE_AIO_NATIVE_MULTIPLE` if the text has more than one statement, `ERR_SQLITE_AIO_NATIVE_FINALIZED` for a
 * finalized statement, `ERR_SQLITE_AIO_NATIVE_BUSY` inside a function that a statement of the handle calls; others as
 * {@link setAuthorizer}.
 *
 * A handle on which JavaScript functions may run needs {@link guard}.
 */
export function prepare(token: Token, sql: string): PreparedStatement | null;

/** Frees a statement, or all statements of the handle. Closing the handle does so first. */
export function finalize(token: Token, statement?: StatementId): void;

/** The columns of a result, as of the latest compilation of the statement. */
export function columns(token: Token, statement: StatementId): ColumnDescription[];

/** Ends a run of the statement and releases its locks. */
export function reset(token: Token, statement: StatementId): void;

/** Begins a new run with these values, in the order of the parameter indexes. Texts and blobs are copied. */
export function bind(token: Token, statement: StatementId, values: readonly Value[]): void;

/**
 * Steps, and packs up to `limit` rows, but at least one; fewer if they reach about `bytes` bytes. `src/packing.h`
 * describes the block. `only` ends the run after them. If a step fails after some rows, the next call throws its error.
 * If it fails at once, at a lock for example, the parameters stay bound and the next call begins again. Between rows it
 * checks the mark of operation `sequence` in the worker's `control` block, and throws SQLITE_INTERRUPT if it is set. A
 * block that fits into `into`, which must begin at a multiple of 8 bytes, is written there, and `null` is returned.
 */
export function rows<Into extends Uint8Array | undefined = undefined>(
  token: Token,
  statement: StatementId,
  limit: number,
  bytes: number,
  mode: ValueMode,
  only: boolean,
  control?: Int32Array,
  sequence?: number,
  into?: Into,
): ArrayBuffer | (Into extends Uint8Array ? null : never);

/**
 * Runs the statement for each parameter set of `packet` (`[sets, ...columns]` as in the worker's
 * wire/rows/row-encode.ts), beginning with set `from`. Returns the last rowid. In any case `progress` receives the next
 * set, which after an error is the failed one, and the number of changed rows. With `begin` and `keep`, statements that
 * begin and release a savepoint, each set has its own savepoint, and fails if `undoing` is not 0 at its end. The third
 * number of `progress` says what is left of the last savepoint: `0` nothing, `1` it is open, with what the statement left
 * when it failed, `2` it is open and must be undone.
 */
export function runMany(
  token: Token,
  statement: StatementId,
  packet: readonly unknown[],
  from: number,
  progress: Float64Array,
  control?: Int32Array,
  sequence?: number,
  begin?: StatementId,
  keep?: StatementId,
  undoing?: Int32Array,
): bigint;

/**
 * Runs `count` small statements in order. `src/points.h` describes how they and their results are passed. Ends before a
 * statement that is cancelled, or whose rows exceed its limit or do not fit; after one that was interrupted; and after
 * one if `ms` milliseconds are over then. The first of `cells` are the number of statements done, and where the next
 * begins in `input` and `bytes`. After a failed write, `text` has its error. The error of a read is thrown.
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
 * While on, {@link prepare}, {@link rows}, {@link runMany} and {@link runPoints} work inside a statement of `database`,
 * so better-sqlite3 knows that it is busy. Otherwise a function that throws, or that uses or closes the database, would
 * end the process. Costs 2 us per call. Needed if JavaScript functions, aggregates, virtual tables or an authorizer may
 * run.
 */
export function guard(
  database: { prepare(sql: string): { pluck(): { get(): unknown } } },
  token: Token,
  on: boolean,
): void;

/**
 * Makes the commit of a single statement fail if its caller has given it up: its number stands in word 1,035 of the
 * control block of `@sqlite-aio/worker`, and it is marked there as cancelled. SQLite then rolls it back. Undefined ends
 * that. Errors as {@link setAuthorizer}.
 */
export function guardCommits(token: Token, control: Int32Array | undefined): void;

/** Changed rows, commits and rollbacks in the order in which they happened; see {@link recordEvents}. */
export interface EventLog {
  readonly tables: [database: string, table: string][];
  /**
   * Int32: an action (`18` SQLITE_INSERT, `9` SQLITE_DELETE, `23` SQLITE_UPDATE) plus 256 times the table's index in
   * `tables`; or `0` for a commit, `1` for a rollback.
   */
  readonly events: ArrayBuffer;
  /** Int64, one per event; 0 for a commit or a rollback. */
  readonly rowids: ArrayBuffer;
}

/**
 * Records the events of SQLite's hooks. `what` is a sum of 1 (changed rows, https://sqlite.org/c3ref/update_hook.html),
 * 2 (commits, after they have succeeded) and 4 (rollbacks); 0 stops recording. A DELETE without WHERE is recorded row
 * by row. Errors as {@link setAuthorizer}.
 */
export function recordEvents(token: Token, what: number): void;

/** The events since the last call; `null` if there are none. Errors as {@link takeChanges}. */
export function takeEvents(token: Token): EventLog | null;

/**
 * Sets a limit (https://sqlite.org/c3ref/limit.html) if `limit` is not negative, and returns the previous one; -1 if
 * there is no such category. Errors as {@link setAuthorizer}.
 */
export function limit(token: Token, category: number, limit: number): number;

/**
 * Turns a switch of the handle on or off (https://sqlite.org/c3ref/c_dbconfig_defensive.html) if `enable` is given, and
 * returns its state. An `op` that is not a switch throws with the code `SQLITE_ERROR`; other errors as {@link
 * setAuthorizer}.
 */
export function config(token: Token, op: number, enable?: boolean): boolean;

/**
 * Registers a JavaScript function; `null` removes it. Kind 0: a scalar function; 1: an aggregate; 2: an aggregate that
 * can also be a window function. `flags` are those of https://sqlite.org/c3ref/create_function.html without the
 * encoding. A scalar function gets the values. The other kinds get what to do (1: step, 2: inverse, 3: value, 4:
 * finalize), the number of the group, and for step and inverse the values of a row; they return `null` for these two. A
 * group without rows is never begun. `undefined`, or a throw, fails the statement. Errors as {@link prepare}.
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
 * Registers a collation; `null` removes it. `compare` returns a number below zero, zero, or above zero; a throw or
 * another value counts as zero. Errors as {@link prepare}.
 */
export function defineCollation(
  token: Token,
  name: string,
  compare: ((left: string, right: string) => number) | null,
): void;

/** A number that identifies one open blob of a handle. After it is closed the number is never used again. */
export type BlobId = number;

/**
 * Opens the value of one column in one row for reading, and for writing if `writable`
 * (https://sqlite.org/c3ref/blob_open.html). Returns its number and its length in bytes. Closing the handle closes the
 * blob first. Errors as {@link prepare}.
 */
export function blobOpen(
  token: Token,
  database: string,
  table: string,
  column: string,
  rowid: bigint,
  writable: boolean,
): { id: BlobId; bytes: number };

/**
 * Fills `bytes` from the blob, beginning at `offset`. Errors as {@link prepare}; SQLITE_ABORT if the row has changed
 * since.
 */
export function blobRead(token: Token, blob: BlobId, bytes: Uint8Array, offset: number): void;

/** Writes `bytes` into the blob, beginning at `offset`. The blob's length cannot change. Errors as {@link blobRead}. */
export function blobWrite(token: Token, blob: BlobId, bytes: Uint8Array, offset: number): void;

/** Closes a blob. Outside a transaction this commits what was written. Errors as {@link blobRead}. */
export function blobClose(token: Token, blob: BlobId): void;

/**
 * Replaces a database of the handle by one in memory with these contents (https://sqlite.org/c3ref/deserialize.html),
 * and closes the previous one. No statement may be half read. Errors as {@link prepare}.
 */
export function deserialize(token: Token, database: string, image: Uint8Array): void;

/**
 * Replaces the contents of the target's main database by those of the source's
 * (https://sqlite.org/c3ref/backup_finish.html), all at once in a transaction of its own. Both handles belong to this
 * thread. Errors as {@link prepare}; `SQLITE_BUSY` if another connection has one of them locked.
 */
export function copyInto(source: Token, target: Token): void;

/**
 * While on, the handle's engine opens a path that begins with `file:sqlite-aio-memory/` as a database in the memory of
 * the process, which all users of that name share, and a path that begins with `file:sqlite-aio-immutable/` as a file
 * that does not change (https://sqlite.org/c3ref/c_iocap_atomic.html): the rest of the path. Calls are counted for the
 * whole process. Returns `false` if the engine cannot share databases in memory. Errors as {@link setAuthorizer}.
 */
export function usePrefixes(token: Token, on: boolean): boolean;
