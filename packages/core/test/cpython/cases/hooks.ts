import { type Area, PYTHON_ONLY } from "./case.ts";

const COUNTING =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000) SELECT count(*) FROM n";
const LETTERS = "SELECT x FROM (SELECT 'a' AS x UNION SELECT 'b' UNION SELECT 'c') ORDER BY x COLLATE mine";

export const hooks: Area = {
  name: "hooks",
  cases: [
    {
      title: "a collation is used, is replaced by another of its name, and removed by null",
      covers: "collation_is_used collation_register_twice deregister_collation create_collation_not_ascii",
      native: true,
      steps: [
        ["create_collation", "mine", "reverse"],
        ["all", LETTERS],
        ["create_collation", "MINE", "large"],
        ["all", LETTERS],
        ["create_collation", "mine", null],
        ["all", LETTERS],
        ["create_collation", "coll-ä", "same"],
      ],
    },
    {
      title: "a collation's result may be any number",
      covers: "collation_returns_large_integer",
      native: true,
      steps: [
        ["create_collation", "mine", "large"],
        ["all", `${LETTERS} DESC`],
      ],
    },
    {
      title: "a collation's result that is not a number counts as equal",
      covers: "collation_returns_large_integer",
      native: true,
      steps: [
        ["create_collation", "mine", "text"],
        ["all", "SELECT 'a' < 'b' COLLATE mine, 'a' = 'b' COLLATE mine"],
      ],
    },
    {
      title: "a collation that throws fails the statement, which has still run",
      covers: "collation_is_used",
      native: true,
      steps: [
        ["create_collation", "mine", "fail"],
        ["script", "CREATE TABLE t (x)"],
        ["all", "SELECT 'a' = 'b' COLLATE mine"],
        ["execute", "INSERT INTO t SELECT 'a' = 'b' COLLATE mine"],
        ["many", "INSERT INTO t SELECT ? = 'b' COLLATE mine", [["x"], ["y"]]],
        ["all", "SELECT x FROM t"],
      ],
      differs: "the error of a collation is the `cause` of an `OperationalError`, as with functions",
    },
    {
      title: "a statement that fails by itself has its own error, whatever its collation throws",
      covers: "collation_is_used",
      native: true,
      steps: [
        ["create_collation", "mine", "reverse"],
        ["script", "CREATE TABLE t (x COLLATE mine UNIQUE); INSERT INTO t VALUES ('m')"],
        ["create_collation", "mine", "fail"],
        ["execute", "INSERT INTO t VALUES ('a')"],
        ["many", "INSERT INTO t VALUES (?)", [["a"]]],
        ["all", "INSERT INTO t VALUES ('a') RETURNING x"],
        ["all", "SELECT abs(-9223372036854775807 - 1) FROM t WHERE x = 'm'"],
      ],
    },
    {
      title: "a trace has the statements that fail, but none that cannot be compiled",
      covers: "trace_callback_used",
      steps: [
        ["script", "CREATE TABLE t (a UNIQUE CHECK (a > 0))"],
        ["set", "isolation_level", null],
        ["trace", true],
        ["execute", "INSERT INTO t VALUES (-1)"],
        ["execute", "COMMIT"],
        ["execute", "SELEC"],
        ["execute", "SELECT abs(-9223372036854775808)"],
        ["many", "INSERT INTO t VALUES (?)", [[1], [1], [2]]],
        ["script", "INSERT INTO t VALUES (3);INSERT INTO t VALUES (3);INSERT INTO t VALUES (4);"],
        ["taken"],
      ],
    },
    {
      title: "a trace has the text of every statement, the begin before the first write too, with its values",
      covers:
        "trace_callback_used clear_trace_callback unicode_content trace_callback_content trace_expanded_sql",
      steps: [
        ["script", "CREATE TABLE t (a, b)"],
        ["trace", true],
        ["execute", "INSERT INTO t VALUES (1, 'öäü')"],
        ["execute", "INSERT INTO t VALUES (?, ?)", [2.5, "x"]],
        ["commit"],
        ["taken"],
        ["script", "SELECT 1; SELECT 2"],
        ["taken"],
        ["trace", false],
        ["execute", "SELECT 3"],
        ["taken"],
      ],
      differs:
        "a trace has `BEGIN`; CPython's has `BEGIN ` or `BEGIN DEFERRED`. The statements of a script come without the blanks before them",
    },
    {
      title:
        "a progress handler stops a statement by a true result or by throwing, and is taken away by null",
      covers: "cancel_operation clear_handler error_in_progress_handler",
      native: true,
      steps: [
        ["set_progress_handler", "go", 1],
        ["all", "SELECT 1"],
        ["set_progress_handler", "stop", 1],
        ["all", COUNTING],
        ["set_progress_handler", "fail", 1],
        ["all", COUNTING],
        ["set_progress_handler", null, 1],
        ["all", "SELECT 1"],
      ],
    },
    {
      title: "a trace that throws does not fail the statement",
      covers: "trace_bad_handler",
      steps: [["trace_failing"], ["all", "SELECT 1"], ["trace", false], ["all", "SELECT 2"]],
    },
    {
      title: "a trace of a statement whose text is too long with its values",
      covers: "trace_too_much_expanded_sql",
      native: true,
      since: [3, 11],
      steps: [
        ["limit", 0, 40],
        ["trace", true],
        ["execute", "SELECT 'short'"],
        ["execute", "SELECT ?", ["y".repeat(35)]],
        ["taken"],
      ],
    },
  ],
  left: [
    {
      covers:
        "create_collation_not_string create_collation_not_callable create_collation_bad_upper trace_keyword_args progress_handler_keyword_args error_in_progress_handler_result",
      why: PYTHON_ONLY,
    },
    {
      covers: "progress_handler_used opcode_count",
      why: "`n` is milliseconds and not instructions: the progress handler has tests of its own",
    },
  ],
};
