import { type Area, PYTHON_ONLY } from "./case.ts";

export const backup: Area = {
  name: "backup",
  cases: [
    {
      title: "a copy, at once and in steps, with its progress",
      covers: "simple progress progress_all_pages_at_once_1 progress_all_pages_at_once_2",
      steps: [
        ["script", "CREATE TABLE foo (key INTEGER)"],
        ["many", "INSERT INTO foo VALUES (?)", [[3], [4]]],
        ["commit"],
        ["backup", "SELECT key FROM foo ORDER BY key", { pages: 1 }],
        ["progressed"],
        ["backup", "SELECT key FROM foo", { pages: 0 }],
        ["progressed"],
        ["backup", "SELECT key FROM foo", { pages: -1 }],
        ["progressed"],
      ],
    },
    {
      title: "a progress that throws ends the copy",
      covers: "failing_progress",
      steps: [["script", "CREATE TABLE foo (key)"], ["backup_failing"], ["all", "SELECT * FROM foo"]],
    },
    {
      title: "the database to copy, by its name",
      covers: "database_source_name",
      steps: [
        [
          "script",
          "CREATE TABLE foo (key); INSERT INTO foo VALUES (1); ATTACH ':memory:' AS attached; CREATE TABLE attached.foo (key); INSERT INTO attached.foo VALUES (2)",
        ],
        ["backup", "SELECT key FROM foo", { name: "main" }],
        ["backup", "SELECT count(*) FROM sqlite_master", { name: "temp" }],
        ["backup", "SELECT key FROM foo", { name: "attached" }],
        ["backup", "SELECT 1", { name: "none" }],
      ],
    },
    {
      title: "targets that are refused",
      covers:
        "bad_target_same_connection bad_target_closed_connection bad_source_closed_connection bad_target_in_transaction",
      steps: [
        ["connect", "busy"],
        ["script", "CREATE TABLE bar (key)"],
        ["execute", "INSERT INTO bar VALUES (1)"],
        ["connect", "gone"],
        ["close"],
        ["connect", "db"],
        ["backup_into", "db"],
        ["backup_into", "gone"],
        ["backup_into", "busy"],
        ["on", "gone"],
        ["backup_into", "db"],
      ],
      differs:
        "the same connection as the target is a `ProgrammingError`, a closed one is a `ConnectionClosedError`",
    },
    {
      title: "a progress that writes into the source",
      covers: "modifying_progress",
      steps: [
        ["script", "CREATE TABLE foo (key)"],
        ["many", "INSERT INTO foo VALUES (?)", Array.from({ length: 50 }, () => ["x".repeat(1000)])],
        ["commit"],
        ["backup_modifying", "SELECT count(*), max(key = 'late') FROM foo"],
      ],
    },
    {
      title: "a target or a progress that is none",
      covers: "bad_target non_callable_progress",
      steps: [
        ["backup_wrong", "target"],
        ["backup_wrong", "progress"],
      ],
    },
    {
      title: "a path as the target of a copy",
      covers: "bad_target_filename",
      steps: [["script", "CREATE TABLE t (x)"], ["backup_path", "copy.db"], ["files"]],
      differs: "the target of a copy may be a path",
    },
  ],
  left: [{ covers: "keyword_only_args", why: PYTHON_ONLY }],
};
