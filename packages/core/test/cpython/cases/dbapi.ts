import { type Area, NO_SUBCLASS, PYTHON_ONLY } from "./case.ts";
import { blobs } from "./dbapi-blobs.ts";
import { cursors } from "./dbapi-cursors.ts";
import { paths } from "./opening.ts";

const TABLE = [
  "script",
  "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, income NUMBER, uq TEXT UNIQUE)",
] as const;
const ROWS = ["many", "INSERT INTO t (name) VALUES (?)", [["a"], ["b"], ["c"]]] as const;
const blob = (text: string): object => ({ $blob: Buffer.from(text, "latin1").toString("hex") });
const CONFLICT = [
  ["script", "CREATE TABLE c (id INTEGER PRIMARY KEY, name TEXT, uq TEXT UNIQUE)"],
  ["execute", "INSERT INTO c (name, uq) VALUES ('before', 'taken')"],
] as const;
const conflict = (how: string) =>
  [
    ...CONFLICT,
    ["commit"],
    ["execute", "BEGIN"],
    ["execute", "INSERT INTO c (name) VALUES ('in between')"],
    ["execute", `INSERT OR ${how} INTO c (name, uq) VALUES ('second', 'taken')`],
    ["get", "in_transaction"],
    ["commit"],
    ["all", "SELECT name, uq FROM c ORDER BY id"],
  ] as const;
const ERRORS =
  "Warning Error InterfaceError DatabaseError DataError OperationalError IntegrityError InternalError ProgrammingError NotSupportedError";

export const dbapi: Area = {
  name: "dbapi",
  cases: [
    {
      title: "the errors form PEP 249's tree",
      covers:
        "warning error interface_error database_error data_error operational_error integrity_error internal_error programming_error not_supported_error",
      steps: ERRORS.split(" ").map((name) => ["module", name] as const),
    },
    { title: "the parameter style is qmark", covers: "param_style", steps: [["module", "paramstyle"]] },
    {
      title: "the constants have SQLite's numbers",
      covers: "module_constants",
      steps:
        "SQLITE_DENY SQLITE_IGNORE SQLITE_OK SQLITE_READ SQLITE_SELECT SQLITE_ATTACH SQLITE_RECURSIVE SQLITE_SAVEPOINT SQLITE_LIMIT_LENGTH SQLITE_LIMIT_WORKER_THREADS PARSE_DECLTYPES PARSE_COLNAMES"
          .split(" ")
          .map((name) => ["module", name] as const),
    },
    {
      title: "an error has the name of its code, the extended one where there is one",
      covers: "error_code_on_exception extended_error_code_on_exception",
      steps: [
        ["connect", "missing", "no/such/folder/x.db"],
        ["connect"],
        ["script", "CREATE TABLE t (x CHECK (x > 10))"],
        ["execute", "INSERT INTO t VALUES (1)"],
      ],
    },
    {
      title: "commit and rollback do nothing where nothing is open",
      covers: "commit commit_after_no_changes rollback rollback_after_no_changes",
      steps: [
        ["commit"],
        ["commit"],
        ["rollback"],
        ["rollback"],
        ["execute", "SELECT 1"],
        ["commit"],
        ["rollback"],
      ],
    },
    {
      title: "a cursor belongs to its connection",
      covers: "cursor cursor_connection",
      steps: [["new_cursor"], ["fetchall"]],
    },
    {
      title: "a file in no folder does not open",
      covers: "failed_open",
      steps: [["connect", "x", "a/b/c.db"]],
    },
    {
      title: "closing twice is fine, and every call after it fails",
      covers:
        "close use_after_close closed_con_cursor closed_con_commit closed_con_rollback closed_cur_execute closed_create_function closed_create_aggregate closed_set_authorizer",
      steps: [
        TABLE,
        ["execute", "SELECT 1"],
        ["close"],
        ["close"],
        ["cursor_execute", "SELECT 4"],
        ["fetchone"],
        ["execute", "SELECT 1"],
        ["many", "INSERT INTO t (name) VALUES (?)", [["a"]]],
        ["script", "SELECT 1"],
        ["commit"],
        ["rollback"],
        ["create_function", "f", 0, "int"],
        ["create_aggregate", "f", 1, "sum"],
        ["set_authorizer", "allow"],
      ],
      differs:
        "a closed connection rejects with `ConnectionClosedError`, an `OperationalError`, instead of `ProgrammingError`",
    },
    {
      title: "interrupt() of a closed connection fails",
      covers: "interrupt_on_closed_db",
      steps: [["close"], ["interrupt"]],
      differs:
        "a closed connection rejects with `ConnectionClosedError`, an `OperationalError`, instead of `ProgrammingError`",
    },
    {
      title: "interrupt() of an idle connection does nothing",
      covers: "interrupt",
      steps: [["interrupt"], ["all", "SELECT 1"]],
    },
    {
      title: "in_transaction follows the transaction, and cannot be set",
      covers: "in_transaction in_transaction_ro",
      steps: [
        TABLE,
        ["get", "in_transaction"],
        ["execute", "INSERT INTO t (name) VALUES ('a')"],
        ["get", "in_transaction"],
        ["execute", "SELECT name FROM t"],
        ["fetchone"],
        ["get", "in_transaction"],
        ["commit"],
        ["get", "in_transaction"],
        ["set", "in_transaction", true],
        ["get", "in_transaction"],
      ],
      differs: "setting a read-only property has no effect, and is a `TypeError` in strict code",
    },
    {
      title: "setting a limit returns the previous one, and limits are clamped",
      covers: "connection_limits connection_bad_limit_category",
      native: true,
      since: [3, 11],
      steps: [
        ["setlimit", 1, 20],
        ["getlimit", 1],
        ["execute", "SELECT 1 AS much_too_long_for_that"],
        ["setlimit", 1, -1],
        ["setlimit", 1, 100_000],
        ["setlimit", 3, 0x7fffffff],
        ["getlimit", 3],
        ["getlimit", 1111],
        ["setlimit", 1111, 0],
      ],
      differs: "the engine has other limits",
    },
    {
      title: "isolation levels are taken in any case, and others refused",
      covers: "connection_init_bad_isolation_level connection_init_good_isolation_levels",
      steps: [
        ["connect", "a", ":memory:", { isolation_level: "DEFERRED" }],
        ["get", "isolation_level"],
        ["connect", "b", ":memory:", { isolation_level: "immediate" }],
        ["connect", "c", ":memory:", { isolation_level: "EXCLUSIVE" }],
        ["get", "isolation_level"],
        ["connect", "d", ":memory:", { isolation_level: null }],
        ["get", "isolation_level"],
        ["connect", "e", ":memory:", { isolation_level: "BOGUS" }],
        ["connect", "f", ":memory:", { isolation_level: " " }],
        ["connect", "g", ":memory:", { isolation_level: 123 }],
        ["connect", "h", ":memory:", { isolation_level: "IMMEDIATE\0EXCLUSIVE" }],
      ],
    },
    {
      title: "switches are read and set",
      covers: "connection_config",
      native: true,
      since: [3, 12],
      steps: [
        ["config", "SQLITE_DBCONFIG_ENABLE_FKEY", false],
        ["config", "SQLITE_DBCONFIG_ENABLE_FKEY"],
        ["config", "SQLITE_DBCONFIG_ENABLE_FKEY", true],
        ["config", "SQLITE_DBCONFIG_ENABLE_FKEY"],
        ["script", "CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p)"],
        ["execute", "INSERT INTO c VALUES (1)"],
      ],
    },
    {
      title: "an image of a database can be read, and other bytes cannot",
      covers: "serialize_deserialize deserialize_wrong_args deserialize_corrupt_database",
      since: [3, 11],
      steps: [
        TABLE,
        ROWS,
        ["commit"],
        ["serialized", "SELECT name FROM t"],
        ["deserialize", null],
        ["deserialize", blob("junk".repeat(300))],
        ["all", "SELECT count(*) FROM t"],
      ],
      differs: "bytes that are not a valid database are refused at once, and change nothing",
    },
    {
      title: "text that is not SQL, or not one statement, is refused",
      covers: "execute_no_args execute_illegal_sql execute_multiple_statements execute_wrong_sql_arg",
      steps: [
        ["execute", "SELECT asdf"],
        ["execute", "hello"],
        ["execute", "SELECT 1; SELECT 2"],
        ["execute", "SELECT 1; SELECT 2;"],
        ["execute", "SELECT 1;; SELECT 2"],
        ["execute", "SELECT 1; -- c\n SELECT 2"],
        ["execute", 42],
        ["execute", null],
        ["execute", blob("SELECT 1")],
        ["all", "SELECT 7"],
      ],
    },
    {
      title: "comments and blanks after a statement are allowed",
      covers: "execute_with_appended_comments",
      steps: [
        "SELECT 1; -- foo",
        "SELECT 1; --",
        "SELECT 1; /* foo */",
        "SELECT 1; /**/",
        "SELECT 1 -- foo",
        "SELECT 1; /* open",
        "   SELECT 1",
      ].map((sql) => ["all", sql] as const),
    },
    {
      title: "a second semicolon",
      covers: "execute_with_appended_comments",
      steps: [["all", "SELECT 1;\n\n;"]],
      differs: "an empty statement after the only one is allowed",
    },
    {
      title: "values of every type are bound",
      covers: "execute_arg_int execute_arg_float execute_arg_string execute_arg_string_with_zero_byte",
      steps: [
        TABLE,
        ["execute", "INSERT INTO t (id) VALUES (?)", [42]],
        ["execute", "INSERT INTO t (income) VALUES (?)", [2500.32]],
        ["execute", "INSERT INTO t (name) VALUES (?)", ["Hugo"]],
        ["execute", "INSERT INTO t (name) VALUES (?)", ["Hu\0go"]],
        ["all", "SELECT id, name, income FROM t"],
      ],
    },
    {
      title: "parameters that are neither a sequence nor a mapping, or too few or too many, are refused",
      covers:
        "execute_non_iterable execute_wrong_no_of_args1 execute_wrong_no_of_args2 execute_wrong_no_of_args3 execute_param_sequence_bad_len",
      steps: [
        TABLE,
        ["execute", "INSERT INTO t (id) VALUES (?)", 42],
        ["execute", "INSERT INTO t (id) VALUES (?)", [17, "Egon"]],
        ["execute", "INSERT INTO t (id) VALUES (?)"],
        ["execute", "INSERT INTO t (id) VALUES (?)", []],
        ["all", "SELECT count(*) FROM t"],
      ],
    },
    {
      title: "a string is a sequence of parameters in Python",
      covers: "execute_param_sequence",
      steps: [
        ["all", "SELECT ?", "a"],
        ["all", "SELECT ?, ?", "ab"],
      ],
      differs: "a string is not a sequence of parameters",
    },
    {
      title: "an array binds to question marks, numbered ones too",
      covers: "execute_param_list execute_indexed_nameless_params",
      steps: [
        TABLE,
        ROWS,
        ["all", "SELECT name FROM t WHERE name = ?", ["b"]],
        ["all", "SELECT ?1, ?2, ?1", ["x", "y"]],
        ["all", "SELECT ?2, ?1", [1, 2]],
        ["all", "SELECT ?3", [1, 2, 3]],
      ],
    },
    {
      title: "an array for named parameters",
      covers: "execute_named_param_and_sequence",
      steps: [
        ["all", "SELECT :a", ["first"]],
        ["all", "SELECT :a, ?, ?5", ["a", "b", "c", "d", "e"]],
      ],
    },
    {
      title: "more parameters than the limit are refused",
      covers: "execute_too_many_params",
      native: true,
      since: [3, 11],
      steps: [
        ["setlimit", 9, 1],
        ["all", "SELECT * FROM (VALUES (?))", [1]],
        ["all", "SELECT * FROM (VALUES (?), (?))", [1, 2]],
      ],
      differs: "the engine has other limits",
    },
    {
      title: "a mapping binds by name, and a missing name is refused",
      covers:
        "execute_dict_mapping execute_dict_mapping_mapping execute_dict_mapping_too_little_args execute_dict_mapping_no_args execute_dict_mapping_unnamed",
      steps: [
        TABLE,
        ROWS,
        ["all", "SELECT name FROM t WHERE name = :name", { name: "c" }],
        ["all", "SELECT name FROM t WHERE name = @name OR name = $other", { name: "c", other: "a" }],
        ["all", "SELECT name FROM t WHERE name = :name AND id = :id", { name: "a" }],
        ["all", "SELECT name FROM t WHERE name = :name"],
        ["all", "SELECT name FROM t WHERE name = ?", { name: "a" }],
      ],
    },
    {
      title: "surplus names of a mapping",
      covers: "execute_dict_mapping_too_little_args",
      steps: [["all", "SELECT :a", { a: 1, b: 2 }]],
      differs: "a surplus name is a `ProgrammingError`",
    },
    ...cursors,
    ...paths,
    {
      title: "one text in two cursors, each at its own row",
      covers: "same_query_in_multiple_cursors",
      steps: [
        ["script", "CREATE TABLE n (x); INSERT INTO n VALUES (1), (2), (3)"],
        ["execute", "SELECT x FROM n"],
        ["fetchone"],
        ["all", "SELECT x FROM n"],
        ["fetchall"],
      ],
    },
    ...blobs,
    {
      title: "scripts run all of their statements, and stop at the first that fails",
      covers:
        "script_string_sql script_syntax_error script_error_normal cursor_executescript_as_bytes cursor_executescript_with_null_characters cursor_executescript_tx_control connection_executescript",
      steps: [
        ["new_cursor"],
        [
          "cursor_script",
          "-- comment\n CREATE TABLE a (i); INSERT INTO a VALUES (5); /* and */ SELECT i FROM a;",
        ],
        ["all", "SELECT i FROM a"],
        ["cursor_script", "CREATE TABLE b (x); asdf; CREATE TABLE c (x);"],
        ["cursor_script", "INSERT INTO a VALUES (6); SELECT hallo FROM a; INSERT INTO a VALUES (7)"],
        ["all", "SELECT i FROM a"],
        ["cursor_script", blob("SELECT 1")],
        ["all", "SELECT name FROM sqlite_master ORDER BY name"],
        ["script", "BEGIN; SELECT 1; CREATE TABLE f (x)"],
        ["get", "in_transaction"],
        ["rollback"],
        ["all", "SELECT count(*) FROM sqlite_master WHERE name = 'f'"],
      ],
    },
    {
      title: "a connection's execute and executemany make a cursor",
      covers: "connection_execute connection_executemany",
      steps: [
        ["execute", "SELECT 5"],
        ["fetchone"],
        ["script", "CREATE TABLE n (x)"],
        ["many", "INSERT INTO n VALUES (?)", [[3], [4]]],
        ["all", "SELECT x FROM n"],
      ],
    },
    {
      title: "a closed cursor does nothing",
      covers: "closed close",
      steps: [
        ["execute", "SELECT 1"],
        ["close_cursor"],
        ["close_cursor"],
        ["cursor_get", "description"],
        ["cursor_execute", "SELECT 2"],
        ["cursor_many", "INSERT INTO x VALUES (?)", [[1]]],
        ["cursor_script", "SELECT 3"],
        ["fetchall"],
        ["fetchmany"],
        ["fetchone"],
      ],
    },
    ...["ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE"].map((how) => ({
      title: `INSERT OR ${how} in a transaction`,
      covers: `on_conflict_${{ ROLLBACK: "rollback_with_explicit_transaction", ABORT: "abort_raises_with_explicit_transactions" }[how] ?? how.toLowerCase()}`,
      steps: conflict(how),
    })),
    ...["ROLLBACK", "ABORT"].map((how) => ({
      title: `INSERT OR ${how} outside a transaction`,
      covers: `on_conflict_${{ ROLLBACK: "rollback_without_transaction", ABORT: "abort_raises_without_transactions" }[how]}`,
      steps: [
        ["connect", "db", ":memory:", { isolation_level: null }] as const,
        ...CONFLICT,
        ["execute", `INSERT OR ${how} INTO c (name, uq) VALUES ('second', 'taken')`] as const,
        ["get", "in_transaction"] as const,
        ["all", "SELECT name, uq FROM c ORDER BY id"] as const,
      ],
    })),
  ],
  left: [
    {
      covers:
        "api_level deprecated_version thread_safety disallow_instantiation drop_unused_refs connection_reinit connection_bad_reinit connect_positional_arguments connection_signature setinputsizes setoutputsize setoutputsize_no_column date time timestamp date_from_ticks time_from_ticks timestamp_from_ticks binary factory_database_arg database_keyword blob_context_manager_reraise_exceptions blob_context_manager uninit_operations",
      why: PYTHON_ONLY,
    },
    { covers: "wrong_cursor_callable cursor_wrong_class closed_call", why: NO_SUBCLASS },
    {
      covers: "exceptions connection_exceptions",
      why: "PEP 249's errors as attributes of a connection: import them",
    },
    {
      covers: "complete_statement",
      why: "`complete_statement` is not among the names that aiosqlite passes on",
    },
    {
      covers:
        "blob_get_item blob_set_item blob_set_item_with_offset blob_set_slice_buffer_object blob_set_item_negative_index blob_get_slice blob_get_empty_slice blob_get_slice_negative_index blob_get_slice_with_skip blob_set_slice blob_set_empty_slice blob_set_slice_with_skip blob_mapping_invalid_index_type blob_get_item_error blob_get_item_error_bigint blob_set_item_error blob_set_slice_error blob_sequence_not_supported blob_seek_overflow_error",
      why: "an index into a blob cannot be awaited: `seek()` and `read()`",
    },
    {
      covers: "check_connection_thread check_cursor_thread dont_check_same_thread",
      why: "each connection has one thread, which no other connection uses at the same time",
    },
    {
      covers: "open_unquoted_uri open_undecodable_uri",
      why: "the engine knows no URIs",
    },
    {
      covers:
        "cursor_executescript_with_surrogates cursor_executescript_too_large_script connection_resource_warning ctx_mgr_rollback_if_commit_failed closed_set_progress_callback",
      why: "separate tests cover text longer than a string, warnings, locks and the progress handler",
    },
  ],
};
