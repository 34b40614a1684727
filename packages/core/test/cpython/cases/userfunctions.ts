import { type Area, NO_UNICODE, PYTHON_ONLY } from "./case.ts";

const call = (name: string) =>
  [
    ["create_function", "f", 0, name],
    ["all", "SELECT f(), typeof(f())"],
  ] as const;
const WINDOW = [
  "script",
  "CREATE TABLE w (x, y); INSERT INTO w VALUES ('a', 4), ('b', 5), ('c', 3), ('d', 8), ('e', 1)",
] as const;
const OVER = "SELECT x, f(y) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM w ORDER BY x";
const AUTH = [
  [
    "script",
    "CREATE TABLE t1 (c1, c2); CREATE TABLE t2 (c1, c2); INSERT INTO t1 VALUES (1, 2); INSERT INTO t2 VALUES (4, 5)",
  ],
] as const;
const ILLEGAL =
  "a value that SQLite cannot store is an `OperationalError` that says so; CPython has a `DataError` for an integer beyond 64 bits";

export const userfunctions: Area = {
  name: "userfunctions",
  cases: [
    {
      title: "a function's arguments are checked when it is created",
      covers: "func_error_on_create func_too_many_args",
      steps: [
        ["create_function", "bla", -100, "int"],
        ["create_function", "bla", 128, "int"],
        ["create_function", "bla", -1, "count"],
        ["all", "SELECT bla()"],
      ],
      differs: "an argument that SQLite would refuse is a `RangeError` at once",
    },
    ...(["text", "accents", "zero", "int", "real", "null", "blob", "empty", "long", "nan"] as const).map(
      (name) => ({
        title: `a function returns ${name}`,
        covers:
          "func_return_text func_return_text_with_null_char func_return_unicode func_return_int func_return_float func_return_null func_return_blob func_return_long_long func_return_nan",
        steps: call(name),
      }),
    ),
    {
      title: "a function that throws fails the statement, and the next call is fine",
      covers: "func_exception func_memory_error func_overflow_error",
      steps: [...call("fail"), ["all", "SELECT 1"], ...call("int")],
    },
    {
      title: "a function's value that is not an SQLite value, or too large, fails the statement",
      covers: "func_return_illegal_value func_return_too_large_int",
      steps: [...call("illegal"), ...call("beyond"), ["all", "SELECT 1"]],
      differs: ILLEGAL,
    },
    {
      title: "a function gets values of every type",
      covers: "func_params any_arguments empty_blob nan_float too_large_int",
      steps: [
        ["create_function", "kind", 1, "kind"],
        ...[
          42,
          3.25,
          "text",
          { $blob: "00ff" },
          null,
          { $blob: "" },
          { $real: "nan" },
          { $int: "9223372036854775807" },
        ].map((value) => ["all", "SELECT kind(?)", [value]] as const),
        ["create_function", "echo", 1, "echo"],
        [
          "all",
          "SELECT echo(?), echo(?), echo(?)",
          ["x\0y", { $blob: "00" }, { $int: "-9223372036854775808" }],
        ],
        ["create_function", "n", -1, "count"],
        ["all", "SELECT n(), n(1), n(1, 2, 3)"],
        ["all", "SELECT kind(?)", [{ $int: "9223372036854775808" }]],
      ],
    },
    {
      title: "only a deterministic function can be part of an index",
      covers: "func_non_deterministic func_deterministic",
      steps: [
        ["script", "CREATE TABLE t (x)"],
        ["create_function", "any", 0, "int"],
        ["create_function", "same", 0, "int", true],
        ["execute", "CREATE INDEX a ON t (x) WHERE any() = 42"],
        ["execute", "CREATE INDEX s ON t (x) WHERE same() = 42"],
      ],
    },
    {
      title: "null removes a function, and another of the same name replaces it",
      covers: "func_ref_count",
      native: true,
      steps: [...call("int"), ...call("text"), ["create_function", "f", 0, null], ["all", "SELECT f()"]],
    },
    {
      title: "an aggregate sums, joins and counts, with groups and without rows",
      covers:
        "aggr_check_aggr_sum aggr_check_param_str aggr_check_param_int aggr_check_params_int aggr_check_param_none aggr_text aggr_no_match aggr_error_on_create",
      steps: [
        WINDOW,
        ["create_aggregate", "total_of", 1, "sum"],
        ["create_aggregate", "joined", -1, "join"],
        ["all", "SELECT total_of(y) FROM w"],
        ["all", "SELECT y > 3, total_of(y) FROM w GROUP BY y > 3"],
        ["all", "SELECT joined(x, y, NULL) FROM w"],
        ["all", "SELECT joined(x) FROM w WHERE y = 8"],
        ["all", "SELECT total_of(y) FROM w WHERE 0"],
        ["create_aggregate", "bla", -100, "sum"],
      ],
      differs: "an argument that SQLite would refuse is a `RangeError` at once",
    },
    ...(
      ["without step", "without finalize", "failing constructor", "failing step", "failing finalize"] as const
    ).map((cls) => ({
      title: `an aggregate ${cls}`,
      covers:
        "aggr_no_step aggr_no_finalize aggr_exception_in_init aggr_exception_in_step aggr_exception_in_finalize",
      steps: [
        WINDOW,
        ["create_aggregate", "f", 1, cls],
        ["all", "SELECT f(y) FROM w"],
        ["all", "SELECT 1"],
      ] as const,
    })),
    {
      title: "a window function steps forward and backward",
      covers: "win_sum_int win_error_on_create",
      since: [3, 11],
      native: true,
      steps: [
        WINDOW,
        ["create_window_function", "f", 1, "sum"],
        ["all", OVER],
        ["all", "SELECT x, f(y) OVER (ORDER BY x) FROM w"],
        ["all", "SELECT f(y) FROM w"],
      ],
    },
    ...(
      [
        "without step",
        "without inverse",
        "without value",
        "without finalize",
        "failing constructor",
        "failing step",
        "failing inverse",
        "failing value",
        "failing finalize",
      ] as const
    ).map((cls) => ({
      title: `a window function ${cls}`,
      covers:
        "win_exception_in_method win_exception_in_finalize win_missing_method win_missing_finalize win_error_value_return",
      since: [3, 11] as const,
      native: true,
      steps: [WINDOW, ["create_window_function", "f", 1, cls], ["all", OVER], ["all", "SELECT 1"]] as const,
    })),
    {
      title: "null removes a window function, and another of the same name replaces it",
      covers: "win_clear_function win_redefine_function",
      since: [3, 11],
      native: true,
      steps: [
        WINDOW,
        ["create_window_function", "f", 1, "sum"],
        ["all", OVER],
        ["create_window_function", "f", 1, null],
        ["all", OVER],
        ["create_window_function", "f", 1, "sum"],
        ["all", OVER],
      ],
    },
    ...(
      ["deny table", "deny column", "ignore column", "only select", "fail", "text", "large", "allow"] as const
    ).map((name) => ({
      title: `an authorizer: ${name}`,
      covers: "table_access column_access clear_authorizer",
      native: true,
      steps: [
        ...AUTH,
        ["set_authorizer", name],
        ["all", "SELECT * FROM t2"],
        ["all", "SELECT c2 FROM t1"],
        ["all", "SELECT c1 FROM t1"],
        ["set_authorizer", null],
        ["all", "SELECT c2 FROM t2"],
      ] as const,
    })),
    {
      title: "text and blobs beyond the limit of their length",
      covers: "func_return_too_large_text func_return_too_large_blob",
      native: true,
      since: [3, 11],
      steps: [
        ["limit", 0, 50],
        ["create_function", "much", 0, "much"],
        ["all", "SELECT much()"],
        ["create_function", "large", 0, "large"],
        ["all", "SELECT large()"],
        ["all", "SELECT 1"],
      ],
    },
    {
      title: "a function's text with a lone surrogate fails the statement",
      covers: "func_return_text_with_surrogates",
      steps: [...call("surrogate"), ["all", "SELECT 1"]],
    },
    {
      title: "a function is not called with a lone surrogate",
      covers: "param_surrogates",
      steps: [
        ["create_function", "echo", 1, "echo"],
        ["execute_object", "SELECT echo(?)", "surrogate"],
        ["all", "SELECT 1"],
      ],
      differs: NO_UNICODE,
    },
    {
      title: "a function gets a part of a buffer, and returns one",
      covers: "non_contiguous_blob return_non_contiguous_blob",
      steps: [
        ["create_function", "echo", 1, "echo"],
        ["execute_object", "SELECT echo(?)", "view"],
        ["fetchall"],
        ...call("view"),
      ],
    },
  ],
  left: [
    {
      covers:
        "func_deterministic_keyword_only function_destructor_via_gc func_keyword_args agg_keyword_args authorizer_keyword_args",
      why: PYTHON_ONLY,
    },
    {
      covers: "aggr_check_param_float aggr_check_param_blob",
      why: "the same as with functions, for which the values are compared",
    },
  ],
};
