import { type Area, NO_SUBCLASS, PYTHON_ONLY } from "./case.ts";

const PAIR = 'SELECT 1 AS a, 2 AS "B", 3 AS é';
const asRow = ["row_factory", "row"] as const;
const keys = [0, 1, 2, -1, -3, 3, -4, "a", "A", "b", "é", "É", "none", { $int: "18446744073709551616" }];

export const factory: Area = {
  name: "factory",
  cases: [
    {
      title: "a row factory makes the rows of a cursor from its description and the values",
      covers: "is_produced_by_factory custom_factory",
      steps: [
        ["row_factory", "dict"],
        ["execute", PAIR],
        ["fetchone"],
        ["row_factory", "last"],
        ["all", PAIR],
        ["row_factory", "none"],
        ["all", PAIR],
        ["row_factory", "fail"],
        ["all", PAIR],
      ],
    },
    {
      title: "a Row is read by index, from its end too, and by name in any ASCII case",
      covers: "sqlite_row_index sqlite_row_index_unicode",
      steps: [asRow, ...keys.map((key) => ["row", PAIR, key] as const)],
    },
    {
      title: "a Row can be iterated, and has its keys and all columns even if two have the same name",
      covers: "sqlite_row_iter sqlite_row_as_tuple sqlite_row_as_dict sqlite_row_keys sqlite_row_as_sequence",
      steps: [
        asRow,
        ["all", PAIR],
        ["row_keys", PAIR],
        ["all", "SELECT 1 AS a, 2 AS a"],
        ["row", "SELECT 1 AS a, 2 AS a", "a"],
      ],
    },
    {
      title: "a text factory makes the text, even with NULs in it",
      covers: "unicode string bytes custom",
      steps: [
        ["all", "SELECT ?", ["Österreich a\0b"]],
        ["text_factory", "bytes"],
        ["all", "SELECT ?", ["Österreich a\0b"]],
        ["text_factory", "upper"],
        ["all", "SELECT ?, x'6162'", ["a\0b"]],
        ["text_factory", "fail"],
        ["all", "SELECT ?", ["a"]],
      ],
    },
    {
      title: "a text factory gets the bytes of text that is not UTF-8",
      covers: "bytes",
      native: true,
      steps: [
        ["text_factory", "bytes"],
        ["all", "SELECT cast(x'ff41c3' AS TEXT), x'ff', 'é'"],
        ["execute", "SELECT cast(x'ff41c3' AS TEXT) UNION ALL SELECT cast(x'e282' AS TEXT)"],
        ["fetchone"],
        ["text_factory", "str"],
        ["execute", "CREATE TABLE t (x)"],
        ["text_factory", "bytes"],
        ["execute", "INSERT INTO t VALUES (cast(x'c3' AS TEXT)) RETURNING x, x || '€'"],
        ["fetchall"],
      ],
    },
    {
      title: "text that is not UTF-8 is no string",
      covers: "string",
      steps: [["all", "SELECT cast(x'ff' AS TEXT)"]],
      differs: "text that is not UTF-8 is read with replacement characters, and CPython refuses it",
    },
  ],
  left: [
    {
      covers:
        "connection_factories connection_factory_relayed_call connection_factory_as_positional_arg is_instance invalid_factory fake_cursor_class",
      why: NO_SUBCLASS,
    },
    { covers: "sqlite_row_slice sqlite_row_hash_cmp bytearray", why: PYTHON_ONLY },
  ],
};
