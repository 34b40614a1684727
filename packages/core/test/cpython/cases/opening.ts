import type { Case } from "./case.ts";

const FILLED = [
  ["open", "default"],
  ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"],
  ["close"],
] as const;

/** The part of test_dbapi.py about paths. */
export const paths: readonly Case[] = [
  {
    title: "a path may be bytes or an object for a path",
    covers: "open_with_path_like_object open_with_undecodable_path",
    steps: [
      ["open", "bytes", "é.db"],
      ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"],
      ["close"],
      ["open", "path", "é.db"],
      ["all", "SELECT x FROM t"],
      ["files"],
    ],
  },
  {
    title: "a file that is opened to be read",
    covers: "open_uri open_uri_readonly",
    steps: [
      ["open", "readonly"],
      ...FILLED,
      ["open", "readonly"],
      ["all", "SELECT x FROM t"],
      ["execute", "INSERT INTO t VALUES (2)"],
      ["execute", "CREATE TABLE u (x)"],
      ["files"],
    ],
  },
];

/** What docs/from-aiosqlite.md says of connect(), and of the settings of a connection. */
export const opening: readonly Case[] = [
  {
    title: "an empty name is a temporary database",
    covers: "connect()",
    steps: [
      ["open", "temporary"],
      ["script", "CREATE TABLE t (x)"],
      ["all", "SELECT file FROM pragma_database_list WHERE name = 'main'"],
      ["files"],
    ],
  },
  {
    title: "waiting for a lock takes 5 seconds by default",
    covers: "connect()",
    steps: [
      ["open", "default"],
      ["all", "PRAGMA busy_timeout"],
    ],
  },
  {
    title: "types are not detected by default, and statements need not be cached",
    covers: "connect()",
    steps: [
      ["converter", "up", "upper"],
      ["connect", "db", ":memory:", { cached_statements: 0 }],
      ["script", "CREATE TABLE d (u UP); INSERT INTO d VALUES ('abc')"],
      ["all", "SELECT u, u AS 'v [up]' FROM d"],
      ["all", "SELECT u, u AS 'v [up]' FROM d"],
    ],
  },
  {
    title: "a file that never changes",
    covers: "immutable",
    native: true,
    steps: [
      ["open", "immutable"],
      ...FILLED,
      ["open", "immutable"],
      ["all", "SELECT x FROM t"],
      ["execute", "INSERT INTO t VALUES (2)"],
      ["files"],
    ],
  },
  {
    title: "two connections to one database in memory, which is gone with the last",
    covers: "memory",
    native: true,
    steps: [
      ["open", "memory", "m", "a"],
      ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"],
      ["open", "memory", "m", "b"],
      ["all", "SELECT x FROM t"],
      ["open", "memory", "other", "c"],
      ["all", "SELECT x FROM t"],
      ["on", "a"],
      ["close"],
      ["on", "b"],
      ["all", "SELECT x FROM t"],
      ["close"],
      ["open", "memory", "m", "a"],
      ["all", "SELECT x FROM t"],
      ["files"],
    ],
  },
  {
    title: "a read beside an uncommitted write of another connection to one database in memory",
    covers: "memory",
    native: true,
    steps: [
      ["open", "memory", "m", "a"],
      ["script", "CREATE TABLE t (x)"],
      ["open", "memory", "m", "b"],
      ["execute", "INSERT INTO t VALUES (1)"],
      ["on", "a"],
      ["all", "SELECT x FROM t"],
      ["on", "b"],
      ["commit"],
      ["on", "a"],
      ["all", "SELECT x FROM t"],
    ],
    differs:
      "a database in memory that connections share is not a shared cache: its locks are those of a file, and the code is `SQLITE_BUSY` instead of `SQLITE_LOCKED_SHAREDCACHE`",
  },
  {
    title:
      "foreign keys, trust in the schema, double-quoted strings, and synchronous, as they are by default",
    covers: "settings",
    steps: [
      ["open", "default"],
      ["all", "PRAGMA foreign_keys"],
      ["all", "PRAGMA trusted_schema"],
      ["all", "PRAGMA synchronous"],
      ["all", 'SELECT "text"'],
    ],
    differs:
      "foreign keys are enforced, the schema is not trusted, and a double-quoted text is a name, by default",
  },
  {
    title: "synchronous is FULL by default",
    covers: "settings",
    steps: [
      ["open", "default"],
      ["all", "PRAGMA synchronous"],
      ["all", "PRAGMA journal_mode = wal"],
      ["close"],
      ["open", "default"],
      ["all", "PRAGMA synchronous"],
      ["all", "PRAGMA journal_mode"],
    ],
  },
  {
    title: "synchronous of an attached database with a log",
    covers: "settings",
    steps: [
      ["open", "default", "other"],
      ["all", "PRAGMA journal_mode = wal"],
      ["close"],
      ["open", "default"],
      ["attach", "other"],
      ["all", "PRAGMA other.synchronous"],
    ],
    differs: "`synchronous` of an attached database is the engine's default, NORMAL in WAL mode",
  },
  {
    title: "your own function in a view, an index and a CHECK, with the schema trusted",
    covers: "settings",
    steps: [
      ["create_function", "f", 1, "echo", true],
      [
        "script",
        "CREATE TABLE t (x CHECK (f(x) > 0)); CREATE INDEX i ON t (f(x)); CREATE VIEW v AS SELECT f(x) FROM t",
      ],
      ["execute", "INSERT INTO t VALUES (3)"],
      ["execute", "INSERT INTO t VALUES (-3)"],
      ["all", "SELECT * FROM v"],
    ],
  },
  {
    title: "your own function in a view, with the settings as they are",
    covers: "settings",
    steps: [
      ["open", "default"],
      ["create_function", "f", 1, "echo", true],
      ["script", "CREATE TABLE t (x); CREATE VIEW v AS SELECT f(x) FROM t"],
      ["all", "SELECT f(x) FROM t"],
      ["all", "SELECT * FROM v"],
    ],
    differs: "your own function cannot be used in the schema by default, unless it is marked innocuous",
  },
  {
    title: "your own function in a view, when it is marked innocuous",
    covers: "settings",
    native: true,
    steps: [
      ["open", "default"],
      ["create_innocuous", "f", 1, "echo"],
      ["script", "CREATE TABLE t (x CHECK (f(x) > 0)); CREATE VIEW v AS SELECT f(x) FROM t"],
      ["execute", "INSERT INTO t VALUES (3)"],
      ["execute", "INSERT INTO t VALUES (-3)"],
      ["all", "SELECT * FROM v"],
    ],
  },
  {
    title: "double-quoted strings where the option allows them",
    covers: "settings",
    native: true,
    steps: [
      ["open", "quotes"],
      ["all", 'SELECT "text", typeof("text")'],
      ["script", 'CREATE TABLE t ("a b"); INSERT INTO t VALUES ("x")'],
      ["all", 'SELECT "a b", "c" FROM t'],
    ],
  },
  {
    title: "a file that is no database",
    covers: "errors",
    steps: [
      ["write_file", "junk.db", { $blob: "6a756e6b".repeat(300) }],
      ["open", "default", "junk.db"],
    ],
    differs: "a file that is no database is refused when it is opened, in CPython by the first statement",
  },
];
