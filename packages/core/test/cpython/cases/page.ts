import * as core from "@sqlite-aio/core";
import type { Case } from "./case.ts";
import { opening } from "./opening.ts";

const T = ["script", "CREATE TABLE t (x)"] as const;

/** Constants that CPython 3.12 does not have. */
const LATER = /STMT_SCANSTATUS|REVERSE_SCANORDER|ENABLE_ATTACH|ENABLE_COMMENTS/;

/** What else the tables of docs/from-aiosqlite.md say of both, and no test of CPython's asserts. */
export const page: readonly Case[] = [
  ...opening,
  {
    title: "every constant has the number that it has there",
    covers: "the-module",
    since: [3, 12],
    steps: Object.keys(core)
      .filter((name) => /^(SQLITE|PARSE|LEGACY)_/.test(name) && !LATER.test(name))
      .toSorted()
      .map((name) => ["module", name] as const),
  },
  {
    title: "executescript() commits first",
    covers: "connection",
    steps: [
      T,
      ["execute", "INSERT INTO t VALUES (1)"],
      ["script", "SELECT 1"],
      ["get", "in_transaction"],
      ["rollback"],
      ["all", "SELECT x FROM t"],
    ],
  },
  {
    title: "a failed set leaves those before it in the open transaction",
    covers: "a-pool",
    steps: [
      ["script", "CREATE TABLE u (x UNIQUE)"],
      ["many", "INSERT INTO u VALUES (?)", [[1], [2], [1], [3]]],
      ["get", "in_transaction"],
      ["all", "SELECT x FROM u"],
      ["commit"],
      ["all", "SELECT x FROM u"],
    ],
  },
  {
    title: "closing rolls back",
    covers: "connection",
    steps: [
      ["open", "default"],
      T,
      ["execute", "INSERT INTO t VALUES (1)"],
      ["close"],
      ["open", "default"],
      ["all", "SELECT x FROM t"],
    ],
  },
  {
    title: "closing with autocommit false, in the trace",
    covers: "connect()",
    since: [3, 12],
    steps: [
      ["connect", "db", ":memory:", { autocommit: false }],
      ["all", "SELECT 1"],
      ["trace", true],
      ["close"],
      ["taken"],
    ],
    differs: "`close()` rolls back without a ROLLBACK in the trace",
  },
  {
    title: "isolation_level = None commits, and a commit that fails",
    covers: "connection",
    steps: [
      ["execute", "PRAGMA foreign_keys = ON"],
      [
        "script",
        "CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
      ],
      ["execute", "INSERT INTO c VALUES (1)"],
      ["set", "isolation_level", null],
      ["all", "SELECT a FROM c"],
      ["get", "in_transaction"],
      ["rollback"],
      ["all", "SELECT a FROM c"],
    ],
    differs:
      "a property cannot reject: a commit that fails where `isolationLevel` is set to null is a process warning",
  },
  {
    title: "null as the class of an aggregate",
    covers: "connection",
    native: true,
    steps: [
      ["create_aggregate", "f", 1, "sum"],
      ["all", "SELECT f(1)"],
      ["create_aggregate", "f", 1, null],
      ["all", "SELECT f(1)"],
      ["all", "SELECT count(*) FROM pragma_function_list WHERE name = 'f'"],
    ],
    differs: "null removes an aggregate; CPython takes None for a class that fails",
  },
  {
    title: "one of SQLite's own functions is hidden by yours, and stays hidden without it",
    covers: "connection",
    steps: [
      ["all", "SELECT abs(-1)"],
      ["create_function", "abs", 1, "echo"],
      ["all", "SELECT abs(-1)"],
      ["create_function", "abs", 1, null],
      ["all", "SELECT abs(-1)"],
      ["connect"],
      ["all", "SELECT abs(-1)"],
    ],
  },
  {
    title: "null for one of SQLite's own functions",
    covers: "connection",
    steps: [
      ["create_function", "abs", 1, null],
      ["all", "SELECT abs(-1)"],
    ],
    differs: "SQLite's own functions cannot be removed",
  },
  {
    title: "a window function that is used as an aggregate has its value from finalize()",
    covers: "connection",
    native: true,
    since: [3, 11],
    steps: [
      ["create_window_function", "f", 1, "told"],
      ["all", "SELECT f(1)"],
      ["all", "SELECT f(1) OVER ()"],
    ],
  },
  {
    title: "a copy beside an uncommitted write of the source's own",
    covers: "connection",
    steps: [T, ["execute", "INSERT INTO t VALUES (1)"], ["backup_beside_own_write"], ["rollback"]],
    differs:
      "a copy beside an uncommitted write of the source's own rejects with an `OperationalError`; CPython waits for ever",
  },
  {
    title: "a cursor has a row factory of its own",
    covers: "cursor",
    steps: [
      ["row_factory", "dict"],
      ["execute", "SELECT 1 AS a UNION SELECT 2"],
      ["cursor_row_factory", "last"],
      ["fetchone"],
      ["cursor_row_factory", "none"],
      ["fetchall"],
      ["all", "SELECT 3 AS b"],
    ],
  },
  {
    title: "values of every type, there and back",
    covers: "values",
    steps: [
      ["all", "SELECT ?1, typeof(?1)", [null]],
      ["all", "SELECT ?1, typeof(?1)", [true]],
      ["all", "SELECT ?1, typeof(?1)", [false]],
      ["all", "SELECT ?1, typeof(?1)", [1.5]],
      ["all", "SELECT ?1, typeof(?1)", [{ $real: "nan" }]],
      ["all", "SELECT ?1, typeof(?1)", [{ $real: "-inf" }]],
      ["all", "SELECT ?1, typeof(?1)", [{ $int: "9007199254740993" }]],
      ["all", "SELECT ?1, typeof(?1)", ["😀"]],
      ["all", "SELECT ?1, typeof(?1)", [{ $blob: "" }]],
      ["all", "SELECT typeof(9007199254740992.0), 9007199254740992.0 = 9007199254740992"],
      ["execute_object", "SELECT ?", "view"],
      ["fetchall"],
      ["execute", "CREATE TABLE r (x REAL)"],
      ["execute", "INSERT INTO r VALUES (?)", [{ $real: "1.0" }]],
      ["all", "SELECT typeof(x) FROM r"],
    ],
  },
  {
    title: "a whole number that is a float there",
    covers: "values",
    steps: [["all", "SELECT typeof(?)", [{ $real: "1.0" }]]],
    differs: "`1.0` and `1` are the same number in JavaScript, which is bound as an INTEGER",
  },
  {
    title: "names that every object has are not bound",
    covers: "smaller-differences",
    steps: [
      ["all", "SELECT :constructor", {}],
      ["all", "SELECT :__proto__, :toString", { toString: 1 }],
      ["all", "SELECT :constructor", { constructor: 1 }],
    ],
  },
  {
    title: "PRAGMA journal_mode = OFF",
    covers: "smaller-differences",
    steps: [
      ["open", "default"],
      ["all", "PRAGMA journal_mode = OFF"],
      ["all", "PRAGMA journal_mode"],
    ],
    differs: "`PRAGMA journal_mode = OFF` is ignored: the engine is opened with SQLite's defensive flag",
  },
  {
    title: "PRAGMA journal_mode = OFF without the defensive flag",
    covers: "smaller-differences",
    native: true,
    since: [3, 12],
    steps: [
      ["open", "default"],
      ["config", "SQLITE_DBCONFIG_DEFENSIVE", false],
      ["all", "PRAGMA journal_mode = OFF"],
      ["all", "PRAGMA journal_mode"],
    ],
  },
  {
    title: "a dump of rows that refer to nothing turns foreign keys off",
    covers: "restoring-a-dump",
    since: [3, 13],
    steps: [
      [
        "script",
        "CREATE TABLE c (a REFERENCES p); CREATE TABLE p (a PRIMARY KEY); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)",
      ],
      ["dump"],
      ["script", "INSERT INTO c VALUES (2)"],
      ["dump"],
      ["restored", "SELECT a FROM c"],
    ],
  },
  {
    title: "each of SQLite's result codes is an error of the same class",
    covers: "errors",
    steps: [
      ["script", "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0))"],
      ["execute", "INSERT INTO t (id, n) VALUES ('x', 1)"],
      ["execute", "INSERT INTO t (id, n) VALUES (1, 1), (1, 1)"],
      ["execute", "INSERT INTO t (u, n) VALUES (1, 1), (1, 1)"],
      ["execute", "INSERT INTO t (u) VALUES (1)"],
      ["execute", "INSERT INTO t (n, c) VALUES (1, -1)"],
      ["execute", "SELECT zeroblob(2147483648)"],
      ["execute", "SELECT abs(-9223372036854775808)"],
      ["execute", "SELECT json('{')"],
      ["execute", "CREATE TABLE t (x)"],
      ["execute", "COMMIT"],
      ["commit"],
      ["execute", "PRAGMA max_page_count = 3"],
      ["execute", "CREATE TABLE large AS SELECT randomblob(100000) AS x"],
      ["rollback"],
      ["execute", "PRAGMA query_only = 1"],
      ["execute", "DELETE FROM t"],
      ["execute", "CREATE TRIGGER r BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END"],
      ["execute", "PRAGMA query_only = 0"],
      ["execute", "CREATE TRIGGER r BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END"],
      ["execute", "INSERT INTO t (n) VALUES (1)"],
      ["execute", "DELETE FROM t"],
    ],
  },
];
