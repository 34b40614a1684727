import { type Area, NO_UNICODE, PYTHON_ONLY } from "./case.ts";

const stored = (value: unknown) =>
  [
    ["execute", "INSERT INTO t (v) VALUES (?)", [value]],
    ["all", "SELECT v, typeof(v) FROM t"],
  ] as const;
const TABLE = ["script", "CREATE TABLE t (v)"] as const;
const DECLARED = [
  ["connect", "db", ":memory:", { detect_types: 1 }],
  ["converter", "up", "upper"],
  ["converter", "len", "length"],
  ["converter", "num", "number"],
  ["converter", "nil", "none"],
  ["script", 'CREATE TABLE d (u UP, l LEN(10), n num, z NIL, plain TEXT, two "NUM two")'],
] as const;

export const types: Area = {
  name: "types",
  cases: [
    ...[
      ["a string", "Österreich"],
      ["a string with a NUL", "a\0bc"],
      ["a small integer", 42],
      ["a large integer", { $int: "9007199254740993" }],
      ["the least and the largest integer", { $int: "-9223372036854775808" }],
      ["a real", 3.14],
      ["a blob", { $blob: "00ff10" }],
      ["an empty blob", { $blob: "" }],
      ["NULL", null],
    ].map(([what, value]) => ({
      title: `${what as string} is stored and read`,
      covers: "string string_with_null_character small_int large_int float blob unicode_execute",
      steps: [TABLE, ...stored(value)],
    })),
    {
      title: "an integer beyond 64 bits is refused",
      covers: "too_large_int",
      steps: [TABLE, ...stored({ $int: "9223372036854775808" }), ...stored({ $int: "-9223372036854775809" })],
    },
    {
      title: "a declared type chooses the converter, by its first word and in any case",
      covers: "string small_int large_int float bool unicode number1 number2 foo",
      steps: [
        ...DECLARED,
        ["execute", "INSERT INTO d VALUES ('abc', 'four', 5, 'x', 'plain', 7)"],
        ["all", "SELECT * FROM d"],
        ["all", "SELECT u || '', max(n), plain FROM d"],
        ["execute", "UPDATE d SET u = NULL, l = NULL"],
        ["all", "SELECT u, l FROM d"],
      ],
    },
    {
      title: "a converter is not called for NULL or an empty blob",
      covers: "none convert_zero_sized_blob binary_input_for_converter",
      steps: [
        ...DECLARED,
        ["execute", "INSERT INTO d (l, u) VALUES (?, ?)", [{ $blob: "" }, null]],
        ["all", "SELECT l, u FROM d"],
        ["execute", "UPDATE d SET l = ?", [{ $blob: "616263" }]],
        ["all", "SELECT l FROM d"],
      ],
    },
    {
      title: "the name in brackets chooses the converter, and is not part of the name",
      covers:
        "decl_type_not_used col_name case_in_converter_name cursor_description_no_row cursor_description_insert",
      steps: [
        ["connect", "db", ":memory:", { detect_types: 2 }],
        ["converter", "up", "upper"],
        ["script", "CREATE TABLE d (u UP)"],
        ["execute", "INSERT INTO d VALUES ('abc')"],
        ["cursor_get", "description"],
        ["all", "SELECT u FROM d"],
        ["execute", "SELECT u AS 'u [UP]', u AS 'v [none]' FROM d"],
        ["cursor_get", "description"],
        ["fetchall"],
        ["execute", "SELECT u AS 'u [up]' FROM d WHERE 0"],
        ["cursor_get", "description"],
      ],
    },
    {
      title: "a converter that throws fails the reading",
      covers: "error_in_conform",
      steps: [
        ["connect", "db", ":memory:", { detect_types: 1 }],
        ["converter", "bad", "fail"],
        ["script", "CREATE TABLE d (u BAD); INSERT INTO d VALUES ('abc')"],
        ["all", "SELECT u FROM d"],
        ["all", "SELECT 1"],
      ],
    },
    {
      title: "the description of a common table expression",
      covers: "cursor_description_cte_simple cursor_description_cte_multiple_columns cursor_description_cte",
      steps: [
        "WITH one AS (SELECT 1) SELECT * FROM one",
        "WITH a (b, c) AS (SELECT 1, 2) SELECT * FROM a",
        "WITH one AS (SELECT 1) SELECT * FROM one WHERE 0",
      ].flatMap((sql) => [["execute", sql] as const, ["cursor_get", "description"] as const]),
    },
    {
      title: "an adapter makes a value from an object, and an object without one is refused",
      covers: "caster_is_used missing_adapter unsupported_seq unsupported_dict custom_proto adapt",
      steps: [
        TABLE,
        ["execute_object", "INSERT INTO t (v) VALUES (?)", "point"],
        ["all", "SELECT v FROM t"],
        ["execute_object", "INSERT INTO t (v) VALUES (?)", "unknown"],
        ["execute", "SELECT ?", [[1]]],
        ["execute", "SELECT ?", [{ a: 1 }]],
      ],
    },
    {
      title: "a text with a lone surrogate is refused",
      covers: "string_with_surrogates",
      steps: [
        ["execute_object", "SELECT ?", "surrogate"],
        ["all", "SELECT 1"],
      ],
      differs: NO_UNICODE,
    },
    {
      title: "a date without an adapter of one's own",
      covers: "sqlite_date sqlite_timestamp",
      steps: [["execute_object", "SELECT ?", "date"]],
      differs: "a date needs an adapter; CPython's default one is deprecated",
    },
    {
      title: "text and blobs beyond the limit of their length are not bound",
      covers: "too_large_string too_large_blob",
      native: true,
      since: [3, 11],
      steps: [
        ["limit", 0, 50],
        ["execute", "SELECT ?", ["x".repeat(100)]],
        ["execute", "SELECT ?", [{ $blob: "00".repeat(100) }]],
        ["all", "SELECT 1"],
      ],
    },
  ],
  left: [
    {
      covers: "missing_protocol defect_proto defect_self_adapt adapt_alt",
      why: PYTHON_ONLY,
    },
    {
      covers: "sql_timestamp date_time_sub_seconds date_time_sub_seconds_floating_point",
      why: "there are no adapters and converters for dates unless you register them, as Python has deprecated its own",
    },
  ],
};
