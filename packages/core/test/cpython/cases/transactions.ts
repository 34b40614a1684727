import type { Area } from "./case.ts";

const N = ["script", "CREATE TABLE n (x); INSERT INTO n VALUES (1), (2), (3)"] as const;

const TWO = [
  ["connect", "a", "two.db", { timeout: 0.05 }],
  ["script", "CREATE TABLE t (x)"],
  ["connect", "b", "two.db", { timeout: 0.05 }],
  ["on", "a"],
] as const;
const level = (isolation: string | null) =>
  ({
    title: `isolation level ${isolation}: the BEGIN before a write, seen in the trace`,
    covers:
      "isolation_level_default isolation_level_begin isolation_level_deferred isolation_level_deferrred isolation_level_immediate isolation_level_exclusive isolation_level_none",
    steps: [
      ["connect", "db", ":memory:", { isolation_level: isolation }],
      ["script", "CREATE TABLE t (x)"],
      ["trace", true],
      ["execute", "INSERT INTO t VALUES (1)"],
      ["get", "in_transaction"],
      ["taken"],
    ],
  }) as const;

export const transactions: Area = {
  name: "transactions",
  cases: [
    ...(
      [
        "INSERT INTO t VALUES (5)",
        "UPDATE t SET x = 6",
        "DELETE FROM t",
        "REPLACE INTO t VALUES (6)",
        "CREATE TABLE u (x)",
        "SELECT 1",
        "PRAGMA foreign_keys",
        "DROP TABLE t",
        "WITH c AS (SELECT 1) INSERT INTO t SELECT * FROM c",
        "/* c */ INSERT INTO t VALUES (1)",
      ] as const
    ).map((sql) => ({
      title: `whether ${JSON.stringify(sql)} opens a transaction`,
      covers:
        "insert_starts_transaction update_starts_transaction delete_starts_transaction replace_starts_transaction ddl_does_not_autostart_transaction drop_table pragma dml_does_not_auto_commit_before",
      steps: [
        ...TWO,
        ["execute", sql],
        ["get", "in_transaction"],
        ["on", "b"],
        ["all", "SELECT count(*) FROM t"],
      ] as const,
    })),
    {
      title: "setting the level null commits, and its transactions are by hand",
      covers: "toggle_auto_commit",
      steps: [
        ...TWO,
        ["execute", "INSERT INTO t VALUES (5)"],
        ["set", "isolation_level", null],
        ["all", "SELECT 1"],
        ["get", "in_transaction"],
        ["on", "b"],
        ["all", "SELECT x FROM t"],
      ],
    },
    {
      title: "of two connections that write, one cannot wait",
      covers: "raise_timeout locking",
      steps: [
        ...TWO,
        ["execute", "INSERT INTO t VALUES (5)"],
        ["on", "b"],
        ["execute", "INSERT INTO t VALUES (6)"],
        ["on", "a"],
        ["commit"],
        ["on", "b"],
        ["rollback"],
        ["execute", "INSERT INTO t VALUES (6)"],
        ["commit"],
        ["all", "SELECT x FROM t"],
      ],
    },
    {
      title: "a rollback beside a half-read cursor",
      covers: "rollback_cursor_consistency no_duplicate_rows_after_rollback_new_query",
      steps: [
        ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (5)"],
        ["execute", "INSERT INTO t VALUES (6)"],
        ["execute", "SELECT x FROM t ORDER BY x"],
        ["fetchone"],
        ["rollback"],
        ["all", "SELECT x FROM t"],
      ],
    },
    {
      title: "rows go on over a rollback",
      covers: "no_duplicate_rows_after_rollback_del_cursor no_duplicate_rows_after_rollback_close_cursor",
      steps: [
        N,
        ["execute", "BEGIN"],
        ["execute", "SELECT x FROM n ORDER BY x"],
        ["fetchone"],
        ["rollback"],
        ["fetchone"],
        ["fetchone"],
        ["fetchone"],
      ],
    },
    {
      title: "two cursors over one table, and one inserts",
      covers: "multiple_cursors_and_iternext",
      steps: [
        N,
        ["execute", "SELECT x FROM n LIMIT 3"],
        ["fetchone"],
        ["all", "INSERT INTO n VALUES (4)"],
        ["fetchall"],
        ["rollback"],
        ["all", "SELECT count(*) FROM n"],
      ],
    },
    {
      title: "DDL inside of a transaction is rolled back",
      covers: "immediate_transactional_ddl transactional_ddl",
      steps: [
        ["execute", "BEGIN IMMEDIATE"],
        ["execute", "CREATE TABLE t (x)"],
        ["rollback"],
        ["all", "SELECT * FROM t"],
        ["execute", "BEGIN"],
        ["execute", "CREATE TABLE t (x)"],
        ["commit"],
        ["all", "SELECT * FROM t"],
      ],
    },
    level("IMMEDIATE"),
    level("EXCLUSIVE"),
    level(null),
    { ...level("DEFERRED"), differs: "a trace has `BEGIN`; CPython's has `BEGIN ` or `BEGIN DEFERRED`" },
    {
      title: "the default isolation level",
      covers: "isolation_level_default",
      steps: [["get", "isolation_level"]],
      differs: 'the default level, `""` in CPython, is named `"DEFERRED"`',
    },
    ...([true, false, -1] as const).map((mode) => ({
      title: `autocommit ${mode}: begin, commit, rollback and scripts`,
      covers:
        "autocommit_default autocommit_setget autocommit_disabled autocommit_disabled_implicit_rollback autocommit_enabled autocommit_enabled_txn_ctl autocommit_enabled_executescript autocommit_disabled_executescript autocommit_compat_executescript",
      since: [3, 12] as const,
      steps: [
        ["connect", "db", "auto.db", { autocommit: mode }],
        ["get", "autocommit"],
        ["get", "in_transaction"],
        ["execute", "CREATE TABLE t (x)"],
        ["get", "in_transaction"],
        ["commit"],
        ["get", "in_transaction"],
        ["execute", "INSERT INTO t VALUES (1)"],
        ["rollback"],
        ["all", "SELECT x FROM t"],
        ["script", "INSERT INTO t VALUES (2)"],
        ["get", "in_transaction"],
        ["execute", "BEGIN"],
        ["close"],
        ["connect", "again", "auto.db"],
        ["all", "SELECT x FROM t"],
      ] as const,
    })),
    {
      title: "autocommit is changed while the connection is open",
      covers:
        "autocommit_setget_invalid autocommit_disabled_then_enabled autocommit_enabled_then_disabled autocommit_explicit_then_disabled",
      since: [3, 12],
      steps: [
        ["get", "autocommit"],
        ["set", "autocommit", true],
        ["get", "in_transaction"],
        ["set", "autocommit", false],
        ["all", "SELECT 1"],
        ["get", "in_transaction"],
        ["script", "CREATE TABLE t (x)"],
        ["set", "autocommit", true],
        ["all", "SELECT * FROM t"],
        ["get", "in_transaction"],
        ["set", "autocommit", -1],
        ["get", "autocommit"],
        ["set", "autocommit", 5],
        ["set", "autocommit", null],
        ["execute", "BEGIN"],
        ["set", "autocommit", false],
        ["all", "SELECT 1"],
        ["get", "in_transaction"],
      ],
    },
  ],
  left: [
    {
      covers:
        "autocommit_enabled_ctx_mgr autocommit_disabled_ctx_mgr autocommit_compat_ctx_mgr autocommit_disabled_implicit_shutdown",
      why: "`await using` closes, as in aiosqlite; transactions as a block are `transaction()`",
    },
  ],
};
