// Switches of a connection, https://sqlite.org/c3ref/c_dbconfig_defensive.html.
/** Foreign keys are enforced. */
export const SQLITE_DBCONFIG_ENABLE_FKEY = 1002;
/** Triggers fire. */
export const SQLITE_DBCONFIG_ENABLE_TRIGGER = 1003;
/** `fts3_tokenizer()` may register a tokenizer. */
export const SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER = 1004;
/** Extensions can be loaded. */
export const SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION = 1005;
/** No checkpoint when the last connection closes. */
export const SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE = 1006;
/** Query plans do not depend on bound values. */
export const SQLITE_DBCONFIG_ENABLE_QPSG = 1007;
/** EXPLAIN QUERY PLAN shows triggers. */
export const SQLITE_DBCONFIG_TRIGGER_EQP = 1008;
/** The next VACUUM empties the database. Turn it off again afterwards. */
export const SQLITE_DBCONFIG_RESET_DATABASE = 1009;
/** Statements cannot corrupt the file on purpose. */
export const SQLITE_DBCONFIG_DEFENSIVE = 1010;
/** The schema table can be written. */
export const SQLITE_DBCONFIG_WRITABLE_SCHEMA = 1011;
/** ALTER TABLE RENAME behaves as in SQLite 3.24. */
export const SQLITE_DBCONFIG_LEGACY_ALTER_TABLE = 1012;
/** In queries, a double-quoted name that is no column is a string. */
export const SQLITE_DBCONFIG_DQS_DML = 1013;
/** The same in CREATE statements. */
export const SQLITE_DBCONFIG_DQS_DDL = 1014;
/** Views can be read. */
export const SQLITE_DBCONFIG_ENABLE_VIEW = 1015;
/** New files are written in the format that SQLite before 3.3 can read. */
export const SQLITE_DBCONFIG_LEGACY_FILE_FORMAT = 1016;
/** The schema may call functions that are not marked innocuous. */
export const SQLITE_DBCONFIG_TRUSTED_SCHEMA = 1017;
/** Statements collect the counts that `sqlite3_stmt_scanstatus()` reports. */
export const SQLITE_DBCONFIG_STMT_SCANSTATUS = 1018;
/** Without ORDER BY, tables and indexes are read backwards. */
export const SQLITE_DBCONFIG_REVERSE_SCANORDER = 1019;
/** ATTACH may create a file. */
export const SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE = 1020;
/** An attached database may be written. */
export const SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE = 1021;
/** SQL may contain comments. */
export const SQLITE_DBCONFIG_ENABLE_COMMENTS = 1022;
