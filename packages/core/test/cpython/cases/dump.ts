import { type Area, PYTHON_ONLY } from "./case.ts";

export const dump: Area = {
  name: "dump",
  cases: [
    {
      title: "tables, views, triggers, quotes and odd names can be restored",
      covers: "table_dump dump_custom_row_factory",
      since: [3, 13],
      steps: [
        [
          "script",
          `CREATE TABLE "index" ("index" BLOB); INSERT INTO "index" VALUES (X'01'); CREATE TABLE "quoted""table" ("quoted""field" TEXT); INSERT INTO "quoted""table" VALUES ('quoted''value'); CREATE TABLE t1 (id INTEGER PRIMARY KEY, s1 TEXT, t1_i1 INTEGER NOT NULL, i2 INTEGER UNIQUE, "unique" TEXT); INSERT INTO t1 VALUES (1, 'foo', 10, 20, 'a''b'); INSERT INTO t1 VALUES (2, 'foo2', 30, 30, NULL); CREATE TABLE "ö ä" ("é ""x" REAL); INSERT INTO "ö ä" VALUES (1.5), (1e300), (-0.0); CREATE TRIGGER tr AFTER UPDATE ON t1 BEGIN DELETE FROM "index"; END; CREATE VIEW v1 AS SELECT * FROM t1; CREATE INDEX ix ON t1 (s1)`,
        ],
        ["row_factory", "dict"],
        ["dump"],
        ["restored", 'SELECT s1, "unique" FROM v1'],
        ["restored", 'SELECT * FROM "quoted""table"'],
      ],
    },
    {
      title: "only what a filter names",
      covers: "table_dump_filter",
      since: [3, 13],
      steps: [
        [
          "script",
          "CREATE TABLE some_table_1 (id); CREATE TABLE some_table_2 (id); CREATE TABLE test_table_1 (id); CREATE VIEW some_view AS SELECT 1; INSERT INTO some_table_2 VALUES (3)",
        ],
        ["dump", "some_table_%"],
        ["dump", "%_1"],
        ["dump", ""],
        ["dump", "%"],
      ],
    },
    {
      title: "the counters of AUTOINCREMENT",
      covers: "dump_autoincrement dump_autoincrement_create_new_db",
      since: [3, 12],
      steps: [
        [
          "script",
          "CREATE TABLE t1 (id integer primary key autoincrement); INSERT INTO t1 VALUES (NULL), (9); CREATE TABLE t2 (id integer primary key autoincrement)",
        ],
        ["dump"],
        ["restored", "SELECT name, seq FROM sqlite_sequence"],
      ],
    },
    {
      title: "a virtual table",
      covers: "dump_virtual_tables",
      since: [3, 13],
      steps: [
        ["script", "CREATE VIRTUAL TABLE test USING fts4(example)"],
        ["dump"],
        ["restored", "SELECT count(*) FROM test"],
      ],
      differs:
        "a virtual table is dumped so that it can be restored: its `CREATE VIRTUAL TABLE` and rows, without `writable_schema`",
    },
    {
      title: "an empty database, and values of every type",
      covers: "table_dump",
      steps: [
        ["dump"],
        ["script", "CREATE TABLE v (a)"],
        [
          "many",
          "INSERT INTO v VALUES (?)",
          [
            [null],
            [1],
            [{ $int: "9223372036854775807" }],
            [0.1],
            ["it's"],
            ["line\nbreak"],
            [{ $blob: "00ff" }],
            [{ $blob: "" }],
          ],
        ],
        ["commit"],
        ["dump"],
      ],
    },
    {
      title: "text with a NUL in it",
      covers: "table_dump",
      steps: [
        ["script", "CREATE TABLE v (a); INSERT INTO v VALUES ('a' || char(0) || 'b')"],
        ["dump"],
        ["restored", "SELECT hex(a) FROM v"],
      ],
      differs: "text with a NUL, which CPython cuts off there, is dumped whole, by its bytes",
    },
    {
      title: "text that is no UTF-8",
      covers: "table_dump",
      steps: [
        [
          "script",
          "CREATE TABLE v (a); INSERT INTO v VALUES (CAST(X'61FF62' AS TEXT)), (CAST(X'C328' AS TEXT))",
        ],
        ["dump"],
        ["restored", "SELECT typeof(a), hex(a) FROM v"],
      ],
      differs: "text that is no UTF-8, at which CPython's dump fails, is dumped by its bytes",
    },
    {
      title: "an infinite number",
      covers: "table_dump",
      steps: [
        ["script", "CREATE TABLE v (a); INSERT INTO v VALUES (9e999), (-9e999)"],
        ["dump"],
        ["restored", "SELECT a FROM v"],
      ],
      differs:
        "an infinite number is dumped as SQLite quotes it; with later versions of SQLite it can be restored",
    },
  ],
  left: [{ covers: "unorderable_row", why: PYTHON_ONLY }],
};
