/** Answers of an authorizer, https://sqlite.org/c3ref/c_deny.html. */
export const SQLITE_OK = 0;
/** The statement is refused with "not authorized". */
export const SQLITE_DENY = 1;
/** A column reads as NULL; any other action does nothing. */
export const SQLITE_IGNORE = 2;

// The actions that an authorizer is asked about, and the two names that come with each:
// https://sqlite.org/c3ref/c_alter_table.html.
/** Asked with the index and its table. */
export const SQLITE_CREATE_INDEX = 1;
/** Asked with the table. */
export const SQLITE_CREATE_TABLE = 2;
/** Asked with the index and its table. */
export const SQLITE_CREATE_TEMP_INDEX = 3;
/** Asked with the table. */
export const SQLITE_CREATE_TEMP_TABLE = 4;
/** Asked with the trigger and its table. */
export const SQLITE_CREATE_TEMP_TRIGGER = 5;
/** Asked with the view. */
export const SQLITE_CREATE_TEMP_VIEW = 6;
/** Asked with the trigger and its table. */
export const SQLITE_CREATE_TRIGGER = 7;
/** Asked with the view. */
export const SQLITE_CREATE_VIEW = 8;
/** Asked with the table. */
export const SQLITE_DELETE = 9;
/** Asked with the index and its table. */
export const SQLITE_DROP_INDEX = 10;
/** Asked with the table. */
export const SQLITE_DROP_TABLE = 11;
/** Asked with the index and its table. */
export const SQLITE_DROP_TEMP_INDEX = 12;
/** Asked with the table. */
export const SQLITE_DROP_TEMP_TABLE = 13;
/** Asked with the trigger and its table. */
export const SQLITE_DROP_TEMP_TRIGGER = 14;
/** Asked with the view. */
export const SQLITE_DROP_TEMP_VIEW = 15;
/** Asked with the trigger and its table. */
export const SQLITE_DROP_TRIGGER = 16;
/** Asked with the view. */
export const SQLITE_DROP_VIEW = 17;
/** Asked with the table. */
export const SQLITE_INSERT = 18;
/** Asked with the pragma, and with its argument if it has one. */
export const SQLITE_PRAGMA = 19;
/** Asked with the table and the column. */
export const SQLITE_READ = 20;
/** Asked with no name, once for each SELECT in a statement. */
export const SQLITE_SELECT = 21;
/** Asked with the operation: BEGIN, COMMIT or ROLLBACK. */
export const SQLITE_TRANSACTION = 22;
/** Asked with the table and the column. */
export const SQLITE_UPDATE = 23;
/** Asked with the file. */
export const SQLITE_ATTACH = 24;
/** Asked with the database. */
export const SQLITE_DETACH = 25;
/** Asked with the database and the table. */
export const SQLITE_ALTER_TABLE = 26;
/** Asked with the index. */
export const SQLITE_REINDEX = 27;
/** Asked with the table. */
export const SQLITE_ANALYZE = 28;
/** Asked with the table and the module. */
export const SQLITE_CREATE_VTABLE = 29;
/** Asked with the table and the module. */
export const SQLITE_DROP_VTABLE = 30;
/** Asked with the function, as the second name. */
export const SQLITE_FUNCTION = 31;
/** Asked with the operation, BEGIN, RELEASE or ROLLBACK, and the savepoint. */
export const SQLITE_SAVEPOINT = 32;
/** Asked with no name, for a recursive common table expression. */
export const SQLITE_RECURSIVE = 33;
