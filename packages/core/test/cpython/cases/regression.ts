import { type Area, PYTHON_ONLY } from "./case.ts";

const N = ["script", "CREATE TABLE n (x); INSERT INTO n VALUES (1), (2), (3)"] as const;

export const regression: Area = {
  name: "regression",
  cases: [
    {
      title: "pragmas give their values",
      covers: "pragma_user_version pragma_schema_version pragma_autocommit",
      steps: [
        ["all", "PRAGMA user_version"],
        ["all", "PRAGMA schema_version"],
        ["script", "CREATE TABLE t (a)"],
        ["execute", "INSERT INTO t VALUES (1)"],
        ["all", "PRAGMA page_size"],
      ],
    },
    {
      title: "a statement is reset after many of its kind",
      covers: "statement_reset statement_finalization_on_close_db",
      steps: [
        N,
        ...Array.from({ length: 5 }, () => ["execute", "SELECT x FROM n"] as const),
        ["rollback"],
        ["fetchone"],
      ],
    },
    {
      title: "a column's name ends where the brackets begin, with PARSE_COLNAMES only",
      covers: "column_name_with_spaces",
      steps: [
        ["execute", 'SELECT 1 AS "foo bar [datetime]"'],
        ["cursor_get", "description"],
        ["connect", "p", ":memory:", { detect_types: 2 }],
        ["execute", 'SELECT 1 AS "foo baz [up]"'],
        ["cursor_get", "description"],
        ["execute", 'SELECT 1 AS "foo [x] bar"'],
        ["cursor_get", "description"],
      ],
    },
    {
      title: "ON CONFLICT ROLLBACK ends the transaction",
      covers: "on_conflict_rollback",
      steps: [
        ["script", "CREATE TABLE u (x, UNIQUE (x) ON CONFLICT ROLLBACK)"],
        ["execute", "INSERT INTO u VALUES (1)"],
        ["execute", "INSERT INTO u VALUES (1)"],
        ["get", "in_transaction"],
        ["execute", "INSERT INTO u VALUES (2)"],
        ["commit"],
        ["all", "SELECT x FROM u"],
      ],
    },
    {
      title: "a failed binding does not spoil the next",
      covers: "workaround_for_buggy_sqlite_transfer_bindings bind_mutating_list",
      steps: [
        ["script", "CREATE TABLE f (bar)"],
        ["script", "DROP TABLE f; CREATE TABLE f (bar)"],
        ["execute", "INSERT INTO f VALUES (?)", [5]],
        ["all", "SELECT bar FROM f WHERE bar = ?", [5]],
      ],
    },
    {
      title: "an empty statement does nothing",
      covers: "empty_statement",
      steps: [
        ["execute", ""],
        ["execute", "  "],
        ["execute", "-- comment"],
        ["execute", ";"],
        ["script", ""],
        ["many", "", []],
      ],
    },
    {
      title: "setting the isolation level, and what it refuses",
      covers: "set_isolation_level invalid_isolation_level_type",
      steps: [
        ["script", "CREATE TABLE t (a)"],
        ["set", "isolation_level", null],
        ["execute", "INSERT INTO t VALUES (1)"],
        ["get", "in_transaction"],
        ["set", "isolation_level", "DEFERRED"],
        ["execute", "INSERT INTO t VALUES (2)"],
        ["get", "in_transaction"],
        ["set", "isolation_level", 1],
        ["set", "isolation_level", "BOGUS"],
        ["set", "isolation_level", ""],
        ["get", "isolation_level"],
      ],
      differs: 'the level that `""` means is named `"DEFERRED"`',
    },
    {
      title: "autocommit by the isolation level null",
      covers: "auto_commit",
      steps: [
        ["connect", "db", ":memory:", { isolation_level: null }],
        N,
        ["execute", "INSERT INTO n VALUES (4)"],
        ["rollback"],
        ["all", "SELECT count(*) FROM n"],
      ],
    },
    {
      title: "SQL with a NUL or a lone surrogate in it is refused",
      covers: "null_character surrogates",
      steps: [
        ["execute", "\0SELECT 1"],
        ["execute", "SELECT 1\0"],
        ["execute", "SELECT '\ud8ff'"],
        ["script", "SELECT 1;\0"],
        ["all", "SELECT 1"],
      ],
      differs:
        "SQL that SQLite cannot take as a whole is always a `ProgrammingError`; in CPython sometimes a `ValueError`",
    },
    {
      title: "a cursor goes on over a commit",
      covers: "commit_cursor_reset",
      steps: [
        N,
        ["execute", "INSERT INTO n VALUES (4)"],
        ["execute", "SELECT x FROM n"],
        ["fetchone"],
        ["commit"],
        ["fetchall"],
      ],
    },
    {
      title: "an empty bytestring is one",
      covers: "return_empty_bytestring",
      steps: [["all", "SELECT x''"]],
    },
    {
      title: "a cursor that is closed or begins another statement releases its table",
      covers:
        "table_lock_cursor_replace_stmt table_lock_cursor_dealloc table_lock_cursor_non_readonly_select",
      steps: [
        N,
        ["execute", "SELECT x FROM n"],
        ["fetchone"],
        ["cursor_execute", "SELECT 1"],
        ["execute", "DROP TABLE n"],
        N,
        ["execute", "SELECT x FROM n"],
        ["fetchone"],
        ["close_cursor"],
        ["execute", "DROP TABLE n"],
      ],
    },
    {
      title: "the executescript of a SELECT runs it to its end",
      covers: "executescript_step_through_select",
      steps: [
        ["script", "CREATE TABLE r (i)"],
        ["create_function", "f", 1, "echo"],
        ["script", "INSERT INTO r SELECT f(value) FROM json_each('[1,2]'); SELECT f(i) FROM r"],
        ["all", "SELECT i FROM r"],
      ],
    },
    {
      title: "a statement whose table is another one by now",
      covers: "type_map_usage",
      steps: [
        ["connect", "db", ":memory:", { detect_types: 1 }],
        ["converter", "len", "length"],
        ["script", "CREATE TABLE f (a LEN); INSERT INTO f VALUES ('four')"],
        ["all", "SELECT * FROM f"],
        ["script", "DROP TABLE f; CREATE TABLE f (b INTEGER, c TEXT); INSERT INTO f VALUES (5, 'x')"],
        ["execute", "SELECT * FROM f"],
        ["cursor_get", "description"],
        ["fetchall"],
      ],
    },
  ],
  left: [
    {
      covers:
        "error_msg_decode_error cursor_constructor_call_check str_subclass connection_constructor_call_check connection_call collation recursive_cursor_use convert_timestamp_microsecond_padding large_sql bpo31770 del_isolation_level_segfault bpo37347 recursive_cursor_init recursive_cursor_close recursive_cursor_iter register_adapter",
      why: PYTHON_ONLY,
    },
  ],
};
