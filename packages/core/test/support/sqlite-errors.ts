/** One way in which SQLite refuses a write after it has written rows of it. */
export interface FailingWrite {
  readonly code: string;
  readonly title: string;
  /** The schema that it needs, beside the table `other`. */
  readonly schema: string;
  readonly sql: string;
  /** Tables that it writes. */
  readonly tables: readonly string[];
}

const ROWS = (values: string): string => `SELECT value FROM json_each('${values}')`;
const OVERFLOW = "CASE WHEN value = 7 THEN -9223372036854775807 - 1 ELSE value END";

/** The errors that can stop a statement in the middle of its rows. Each happens at the last of several rows. */
export const FAILING_WRITES: readonly FailingWrite[] = [
  {
    code: "SQLITE_CONSTRAINT_UNIQUE",
    title: "a UNIQUE constraint",
    schema: "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (7)",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_UNIQUE",
    title: "a UNIQUE constraint of OR FAIL, which keeps the rows before",
    schema: "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (7)",
    sql: `INSERT OR FAIL INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_PRIMARYKEY",
    title: "a PRIMARY KEY",
    schema: "CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('7')",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_ROWID",
    title: "a rowid",
    schema: "CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (7, 0)",
    sql: `INSERT INTO t (rowid) ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_NOTNULL",
    title: "NOT NULL",
    schema: "CREATE TABLE t (a NOT NULL)",
    sql: `INSERT INTO t ${ROWS("[5,6,null]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_CHECK",
    title: "CHECK",
    schema: "CREATE TABLE t (a CHECK (a < 7))",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_FOREIGNKEY",
    title: "a foreign key",
    schema:
      "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (5), (6); CREATE TABLE t (a REFERENCES parent)",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_TRIGGER",
    title: "RAISE(ABORT) of a trigger",
    schema:
      "CREATE TABLE t (a); CREATE TABLE log (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); SELECT RAISE(ABORT, 'no') WHERE new.a = 7; END",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t", "log"],
  },
  {
    code: "SQLITE_CONSTRAINT_TRIGGER",
    title: "RAISE(FAIL) of a trigger, which keeps the rows before",
    schema:
      "CREATE TABLE t (a); CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a = 7 BEGIN SELECT RAISE(FAIL, 'no'); END",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_DATATYPE",
    title: "a type of a STRICT table",
    schema: "CREATE TABLE t (a INTEGER) STRICT",
    sql: `INSERT INTO t ${ROWS('[5,6,"x"]')}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_DATATYPE",
    title: "a type of a STRICT table that is updated",
    schema: "CREATE TABLE t (a INTEGER) STRICT; INSERT INTO t VALUES (1), (2), (3)",
    sql: "UPDATE t SET a = CASE a WHEN 3 THEN 'x' ELSE a + 10 END",
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT_DATATYPE",
    title: "a type of a STRICT table that a trigger writes",
    schema:
      "CREATE TABLE t (a); CREATE TABLE s (a INTEGER) STRICT; CREATE TRIGGER w AFTER INSERT ON t BEGIN INSERT INTO s VALUES (new.a); END",
    sql: `INSERT INTO t ${ROWS('[5,6,"x"]')}`,
    tables: ["t", "s"],
  },
  {
    code: "SQLITE_CONSTRAINT_DATATYPE",
    title: "a type of a STRICT table that gives rows back",
    schema: "CREATE TABLE t (a INTEGER) STRICT",
    sql: `INSERT INTO t ${ROWS('[5,6,"x"]')} RETURNING a`,
    tables: ["t"],
  },
  {
    code: "SQLITE_CONSTRAINT",
    title: "a constraint of an R*Tree",
    schema: "CREATE VIRTUAL TABLE t USING rtree(id, x0, x1)",
    sql: "INSERT INTO t SELECT value, value, CASE value WHEN 3 THEN 0 ELSE value END FROM json_each('[1,2,3]')",
    tables: ["t"],
  },
  {
    code: "SQLITE_MISMATCH",
    title: "a rowid that is no number",
    schema: "CREATE TABLE t (id INTEGER PRIMARY KEY)",
    sql: `INSERT INTO t ${ROWS('[5,6,"x"]')}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_TOOBIG",
    title: "a value that is too long",
    schema: "CREATE TABLE t (a)",
    sql: "INSERT INTO t SELECT CASE value WHEN 7 THEN zeroblob(600000000) ELSE value END FROM json_each('[5,6,7]')",
    tables: ["t"],
  },
  {
    code: "SQLITE_ERROR",
    title: "a number that is too large",
    schema: "CREATE TABLE t (a)",
    sql: `INSERT INTO t SELECT abs(${OVERFLOW}) FROM json_each('[5,6,7]')`,
    tables: ["t"],
  },
  {
    code: "SQLITE_ERROR",
    title: "a number that is too large, met by an index",
    schema: "CREATE TABLE t (a); CREATE INDEX i ON t (abs(a))",
    sql: `INSERT INTO t SELECT ${OVERFLOW} FROM json_each('[5,6,7]')`,
    tables: ["t"],
  },
  {
    code: "SQLITE_ERROR",
    title: "a trigger that calls itself without end",
    schema:
      "PRAGMA recursive_triggers = ON; CREATE TABLE t (a); CREATE TRIGGER w AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.a + 1); END",
    sql: "INSERT INTO t VALUES (1)",
    tables: ["t"],
  },
  {
    code: "SQLITE_CORRUPT_VTAB",
    title: "a full-text index that does not fit its table",
    schema:
      "CREATE TABLE c (x); CREATE VIRTUAL TABLE f USING fts5(x, content = 'c'); INSERT INTO c VALUES ('a'); CREATE TABLE t (a); CREATE TRIGGER w AFTER INSERT ON t WHEN new.a = 7 BEGIN INSERT INTO f (f, rank) VALUES ('integrity-check', 1); END",
    sql: `INSERT INTO t ${ROWS("[5,6,7]")}`,
    tables: ["t"],
  },
  {
    code: "SQLITE_FULL",
    title: "rowids that are used up",
    schema: "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
    sql: "INSERT INTO t SELECT CASE value WHEN 3 THEN NULL ELSE 9223372036854775805 + value END FROM json_each('[1,2,3]')",
    tables: ["t"],
  },
];
