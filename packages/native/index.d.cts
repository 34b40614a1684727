/** A number that means one open SQLite handle, in every thread, and after its close none. */
export type Token = number;

/** What this package adds. */
export interface Capabilities {
  readonly interrupt: true;
  readonly authorizer: true;
  readonly changes: true;
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
