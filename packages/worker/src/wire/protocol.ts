/**
 * The words both sides speak. A frame is one flat array of operations, a reply one flat array of answers, in the
 * order in which the operations were queued. Flat, because a structured clone of 64 small objects costs more than
 * the 64 queries they describe.
 */

/** Operations, each `[code, ...fields]`. All but DEFINE, FORGET, RELEASE and TIME are answered exactly once. */
export const Op = {
  /** `id, sql, parameter names | null`: gives a statement its number; it is prepared when first used. */
  DEFINE: 0,
  /** `id`: the main side's cache let go of the statement. */
  FORGET: 1,
  /** `id, mode, flags, cursor, limit, n, ...n parameters` */
  QUERY: 2,
  /** `cursor, limit`: the next rows; a negative limit asks for all that is left. */
  FETCH: 3,
  /** `cursor`: the rest of its rows is not wanted; or the job of a MANY, which has no further batch; or a blob. */
  RELEASE: 4,
  /** `sql, flags`: statements separated by semicolons. */
  SCRIPT: 5,
  /** `id, flags, batch, job`: the statement once per parameter set; after one that failed its job's batches are skipped. */
  MANY: 6,
  /** `verb, argument`: see {@link Verb}. */
  CONTROL: 7,
  /** `method, arguments, flags`: a call that is too rare to have a code of its own. */
  CALL: 8,
  /** `on`: the operations after it are timed, 1, or no longer, 0. */
  TIME: 9,
} as const;

/** What a QUERY wants of its rows. */
export const Mode = {
  /** Open a cursor and send up to `limit` rows; the rest waits for FETCH. */
  CURSOR: 0,
  /** Send every row. */
  ALL: 1,
  /** Send the first row. */
  GET: 2,
  /** Send no row, only the counts. */
  RUN: 3,
  /** Compile the statement and run nothing; answered by a VALUE, see {@link StatementInfo}. */
  DESCRIBE: 4,
} as const;

/** Bits of the `flags` field of QUERY, SCRIPT, MANY and CALL. */
export const Flag = {
  /** Two bits: which BEGIN precedes a DML statement outside a transaction, 0 for none (see {@link Verb} BEGIN). */
  BEGIN: 3,
  /** Answer REFUSED instead of running a statement that may write. */
  READ_ONLY: 4,
  /** Read every INTEGER as bigint, whatever the connection's setting. */
  BIGINT: 8,
  /** May share a transaction with its neighbours (group commit). */
  GROUP: 16,
  /** Commit an open transaction first (`executescript`). */
  COMMIT_FIRST: 32,
  /** Run only while a transaction is open, and nothing that would end it. */
  IN_TRANSACTION: 64,
} as const;

/** Transaction control that depends on state only the thread knows. */
export const Verb = {
  /** argument: 1 deferred, 2 immediate, 3 exclusive */
  BEGIN: 0,
  /** Commit if a transaction is open; it stays open when COMMIT fails, as in CPython. */
  COMMIT: 1,
  /** Roll back if a transaction is open. */
  ROLLBACK: 2,
  /** Commit the transaction that must be open; when COMMIT fails, roll it back. */
  FINISH: 3,
  /** argument: number of the savepoint; a transaction must be open */
  SAVEPOINT: 4,
  RELEASE: 5,
  /** argument: number of the savepoint; nothing is left to undo if the transaction is over */
  ROLLBACK_TO: 6,
  /** Answer when all before it is done. */
  BARRIER: 7,
  /** The end of a lease: roll back, let go of cursors, and answer whether more than that is needed ({@link State} TAINTED). */
  SCRUB: 8,
  /** As SCRUB, and what is left is how the connection is meant to be: only what comes later taints it. */
  SETTLE: 9,
  /** Commit, or roll back, the transaction that must be open, and begin the next. */
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
  /** `sql`: answers nothing; the statement of the operation answered next, for the trace callback. */
  TRACE: 7,
  /** `changes, lastInsertRowid`: answers nothing; the counts of a statement whose rows come next. */
  COUNTS: 8,
  /** `report`: answers nothing; see {@link ChangeReport}. */
  CHANGES: 9,
  /** `begun, ms`: answers nothing; when the operation answered next was begun (see clock.ts), and how long it ran so far. */
  TIMING: 10,
  /** `from, to`: answers nothing; of the operations that are to be answered the one at `from` is answered at `to`, both counted from 0. */
  POSTPONED: 11,
  /** `events`: answers nothing; see {@link HookEvents}. */
  HOOKS: 12,
  /** `more, block`: rows that the native companion has packed, see rows/row-block.ts; or the number of the slot that they are in */
  BLOCK: 13,
  /** `memory`: answers nothing; what the slots of all blocks from now on are in, see rows/block-slots.ts */
  MEMORY: 14,
} as const;

/** Bit of the `more` field: rows follow in further answers to the same operation. */
export const MORE_COMING = 1;
/** Bit of the `more` field: the cursor holds more rows for FETCH. */
export const MORE_WAITING = 2;

/**
 * The head of a reply: `[state, totalChanges, shape count, ...(id, names, declared types, origins)]`, then the answers.
 * A shape travels when a statement first gives rows and when its columns have changed since.
 */
export const State = {
  IN_TRANSACTION: 1,
  /** The connection was changed in a way that outlives its transaction: temp objects, attached databases, pragmas. */
  TAINTED: 2,
} as const;

/** From this bit of a reply's state on: microseconds that each operation it answers has run, in the mean. */
export const SPENT_SHIFT = 8;

/** The most that fits. */
export const MAX_SPENT = 0x3f_ffff;

/** Operations a frame may hold. */
export const MAX_FRAME_OPS = 1024;

/** Operations that may be unanswered at a time: the control block's ring of cancelled operations is larger. */
export const MAX_UNDER_WAY = 3072;

/** The closure of the main side that is told all attached files of a handle; it gives why they cannot be, null if they can. */
export const CLAIM_FILES = -1;

export type Frame = unknown[];
export type Reply = unknown[];
export type SqlValue = null | number | bigint | string | Uint8Array;

/** Database, table and column that each column of a result comes from, three a column; null for an expression. */
export type Origins = readonly (string | null)[];

/** What is known of a statement that was compiled and not run. */
export interface StatementInfo {
  readonly names: readonly string[];
  /** As declared; null for an expression. */
  readonly types: readonly (string | null)[];
  readonly origins: Origins;
  /** As https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}
