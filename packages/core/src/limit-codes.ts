// The limits of SQLite, https://sqlite.org/c3ref/c_limit_attached.html.
/** Bytes of a string, a BLOB or a row. */
export const SQLITE_LIMIT_LENGTH = 0;
/** Bytes of a statement's text. */
export const SQLITE_LIMIT_SQL_LENGTH = 1;
/** Columns of a table, an index, a result, and of some clauses. */
export const SQLITE_LIMIT_COLUMN = 2;
/** Depth of an expression. */
export const SQLITE_LIMIT_EXPR_DEPTH = 3;
/** Terms of a compound SELECT. */
export const SQLITE_LIMIT_COMPOUND_SELECT = 4;
/** Instructions of a compiled statement. */
export const SQLITE_LIMIT_VDBE_OP = 5;
/** Arguments of a function. */
export const SQLITE_LIMIT_FUNCTION_ARG = 6;
/** Attached databases. */
export const SQLITE_LIMIT_ATTACHED = 7;
/** Bytes of a pattern of LIKE or GLOB. */
export const SQLITE_LIMIT_LIKE_PATTERN_LENGTH = 8;
/** The highest number of a parameter. */
export const SQLITE_LIMIT_VARIABLE_NUMBER = 9;
/** Depth of triggers that fire each other. */
export const SQLITE_LIMIT_TRIGGER_DEPTH = 10;
/** Threads that help with one statement. */
export const SQLITE_LIMIT_WORKER_THREADS = 11;
