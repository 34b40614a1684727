/**
 * The protocol of both sides. A frame is a flat array of operations, a reply a flat array of answers, in the order in
 * which the operations were queued. Flat, because the structured clone of 64 small objects costs more than the 64
 * queries that they describe.
 */

/** Operations, each `[code, ...fields]`. All but DEFINE, FORGET, RELEASE and TIME are answered exactly once. */
export const Op = {
  /** `id, sql, parameter names | null`: gives a statement its number. It is compiled on first use. */
  DEFINE: 0,
  /** `id`: the main side's cache has dropped the statement. */
  FORGET: 1,
  /** `id, mode, flags, cursor, limit, n, ...n parameters` */
  QUERY: 2,
  /** `cursor, limit`: the next rows; a negative limit asks for all remaining ones. */
  FETCH: 3,
  /** `cursor`: drops a cursor's remaining rows; or ends the job of a MANY; or closes a blob. */
  RELEASE: 4,
  /** `sql, flags`: statements separated by semicolons. */
  SCRIPT: 5,
  /**
   * `id, flags, batch, job`: runs the statement once per parameter set. After a failure the later batches of the job
   * are skipped.
   */
  MANY: 6,
  /** `verb, argument`: see {@link Verb}. */
  CONTROL: 7,
  /** `method, arguments, flags`: a method that is too rare for a code of its own. */
  CALL: 8,
  /** `on`: 1 begins to time the operations behind it, 0 ends that. */
  TIME: 9,
} as const;

/** Which rows a QUERY returns. */
export const Mode = {
  /** Open a cursor and send up to `limit` rows. FETCH gets the others. */
  CURSOR: 0,
  /** Send every row. */
  ALL: 1,
  /** Send the first row. */
  GET: 2,
  /** Send no row, only the counts. */
  RUN: 3,
  /** Compile the statement without running it. The answer is a VALUE, see {@link StatementInfo}. */
  DESCRIBE: 4,
} as const;

/** Bits of the `flags` field of QUERY, SCRIPT, MANY and CALL. */
export const Flag = {
  /** Two bits: the BEGIN before a DML statement outside a transaction, 0 for none (see {@link Verb} BEGIN). */
  BEGIN: 3,
  /** Answer REFUSED instead of running a statement that may write. */
  READ_ONLY: 4,
  /** Read every INTEGER as bigint, whatever the connection's setting. */
  BIGINT: 8,
  /** May share a transaction with its neighbours (group commit). */
  GROUP: 16,
  /** Commit an open transaction first (`executescript`). */
  COMMIT_FIRST: 32,
  /** Run only while a transaction is open, and only what does not end it. */
  IN_TRANSACTION: 64,
  /** Send each byte of a TEXT's UTF-8 as a character: bytes that are not UTF-8 have no string. */
  RAW_TEXT: 128,
} as const;

/** Transaction control that depends on the handle's state, which only the thread knows. */
export const Verb = {
  /** argument: 1 deferred, 2 immediate, 3 exclusive */
  BEGIN: 0,
  /** Commit if a transaction is open. If COMMIT fails, the transaction stays open, as in CPython. */
  COMMIT: 1,
  /** Roll back if a transaction is open. */
  ROLLBACK: 2,
  /** Commit the transaction, which must be open. If COMMIT fails, roll it back. */
  FINISH: 3,
  /** argument: number of the savepoint; a transaction must be open */
  SAVEPOINT: 4,
  RELEASE: 5,
  /** argument: number of the savepoint; does nothing if the transaction is over */
  ROLLBACK_TO: 6,
  /** Answer when all earlier operations are done. */
  BARRIER: 7,
  /**
   * The end of a lease: roll back, close cursors, and answer. {@link State} TAINTED says whether more has to be undone.
   */
  SCRUB: 8,
  /** SCRUB, and the state that is left counts as clean: only later changes taint the connection. */
  SETTLE: 9,
  /** Commit, or roll back, the open transaction, and begin the next one. */
  COMMIT_AND_BEGIN: 10,
  ROLLBACK_AND_BEGIN: 11,
  /** Begin, unless a transaction is open. */
  ENSURE: 12,
} as const;

/** Answers, each `[code, ...fields]`. */
export const Answer = {
  /** `changes, lastInsertRowid`; changes is -1 where SQLite does not count. */
  DONE: 0,
  /** `more, rows, columns, ...cells` row by row */
  ROWS: 1,
  /** `more, packet` */
  PACKET: 2,
  /** `fault` */
  FAULT: 3,
  /** `value` */
  VALUE: 4,
  /** Never begun: cancelled before its turn. */
  SKIPPED: 5,
  /** Not run: it may write, and READ_ONLY was set. */
  REFUSED: 6,
  /** `sql`: answers nothing; the text of the operation that is answered next, for the trace callback. */
  TRACE: 7,
  /** `changes, lastInsertRowid`: answers nothing; the counts of a statement whose rows come next. */
  COUNTS: 8,
  /** `report`: answers nothing; see {@link ChangeReport}. */
  CHANGES: 9,
  /** `begun, ms`: answers nothing; start (see clock.ts) and duration so far of the operation that is answered next. */
  TIMING: 10,
  /**
   * `from, to`: answers nothing; of the unanswered operations, counted from 0, the one at `from` is answered at `to`.
   */
  POSTPONED: 11,
  /** `events`: answers nothing; see {@link HookEvents}. */
  HOOKS: 12,
  /**
   * `more, block`: rows that the native companion has packed, see rows/row-block.ts; or the number of the slot with the
   * block
   */
  BLOCK: 13,
  /** `memory`: answers nothing; the memory of all slots from now on, see rows/block-slots.ts */
  MEMORY: 14,
} as const;

/** Bit of the `more` field: rows follow in further answers to the same operation. */
export const MORE_COMING = 1;
/** Bit of the `more` field: the cursor holds more rows for FETCH. */
export const MORE_WAITING = 2;

/**
 * The head of a reply: `[state, totalChanges, shape count, ...(id, names, declared types, origins)]`, then the answers.
 * A shape is sent when a statement first returns rows, and again when its columns have changed.
 */
export const State = {
  IN_TRANSACTION: 1,
  /** The connection was changed in a way that outlives its transaction: temp objects, attached databases, pragmas. */
  TAINTED: 2,
} as const;

/** From this bit on, a reply's state holds the mean duration of its operations in microseconds. */
export const SPENT_SHIFT = 8;

/** The largest duration that fits. */
export const MAX_SPENT = 0x3f_ffff;

/** Maximum number of operations in a frame. */
export const MAX_FRAME_OPS = 1024;

/** Maximum number of unanswered operations. The control block's ring of cancelled operations is larger. */
export const MAX_UNDER_WAY = 3072;

/**
 * Number of the main side's closure that receives all attached files of a handle. It returns why they cannot be
 * attached, null if they can.
 */
export const CLAIM_FILES = -1;

export type Frame = unknown[];
export type Reply = unknown[];
export type SqlValue = null | number | bigint | string | Uint8Array;

/** Database, table and column of each result column, three entries each; null for an expression. */
export type Origins = readonly (string | null)[];

/** Facts about a statement that was compiled but not run. */
export interface StatementInfo {
  readonly names: readonly string[];
  /** Declared types; null for an expression. */
  readonly types: readonly (string | null)[];
  readonly origins: Origins;
  /** See https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}
