import type { Case } from "./case.ts";

const SEVEN = ["all", "SELECT seven()"] as const;
const ALLOWED = ["enable_load_extension", true] as const;
const covers = "connection";

/** Extensions that are compiled from C; CPython's tests load none. The names are those of fixtures/extensions.c. */
export const extensions: readonly Case[] = [
  {
    title: "an extension is loaded by its path, without its suffix",
    covers,
    steps: [SEVEN, ALLOWED, ["load_extension", "good"], SEVEN],
  },
  {
    title: "an extension is loaded by its path, with its suffix",
    covers,
    steps: [ALLOWED, ["load_extension", "good.so"], SEVEN],
  },
  {
    title: "the name of the file is in the name of the entry point",
    covers,
    steps: [ALLOWED, ["load_extension", "named"], SEVEN],
  },
  {
    title: "another entry point is named",
    covers,
    steps: [ALLOWED, ["load_extension", "other"], SEVEN, ["load_entry", "other", "other_entry"], SEVEN],
  },
  {
    title: "an entry point that is not there",
    covers,
    steps: [
      ALLOWED,
      ["load_entry", "good", "nowhere"],
      ["load_entry", "good", ""],
      ["load_entry", "missing", "nowhere"],
      SEVEN,
    ],
  },
  {
    title: "what is no extension does not load",
    covers,
    steps: [
      ALLOWED,
      ...["none", "none.so", "text", "text.so", "missing", "missing.so"].map(
        (name) => ["load_extension", name] as const,
      ),
      ["all", "SELECT 1"],
    ],
  },
  {
    title: "an extension that fails when it begins leaves the transaction as it was",
    covers,
    steps: [
      ["script", "CREATE TABLE t (x)"],
      ALLOWED,
      ["execute", "INSERT INTO t VALUES (1)"],
      ["load_extension", "fails"],
      ["get", "in_transaction"],
      ["commit"],
      ["all", "SELECT x FROM t"],
    ],
  },
  {
    title: "loading is forbidden again, and what was loaded stays",
    covers,
    steps: [
      ALLOWED,
      ["load_extension", "good"],
      ["enable_load_extension", false],
      ["load_extension", "good"],
      ["load_extension", "missing"],
      ["load_by_sql", "good"],
      SEVEN,
    ],
  },
  {
    title: "load_extension() in SQL",
    covers,
    steps: [ALLOWED, ["load_by_sql", "good"], SEVEN],
    differs:
      "`enableLoadExtension(true)` allows `loadExtension()`, and not the SQL function `load_extension()`, which any SQL could call",
  },
  {
    title: "an extension is loaded twice",
    covers,
    steps: [ALLOWED, ["load_extension", "good"], ["load_extension", "good"], SEVEN],
  },
  {
    title: "an extension is loaded in a transaction, which goes on",
    covers,
    steps: [
      ["script", "CREATE TABLE t (x)"],
      ALLOWED,
      ["execute", "INSERT INTO t VALUES (1)"],
      ["load_extension", "good"],
      ["execute", "INSERT INTO t VALUES (seven())"],
      ["get", "in_transaction"],
      ["rollback"],
      ["all", "SELECT x FROM t"],
      SEVEN,
    ],
  },
  {
    title: "an extension writes when it is loaded",
    covers,
    steps: [ALLOWED, ["load_extension", "writes"], ["get", "in_transaction"], ["all", "SELECT x FROM made"]],
  },
  {
    title: "an extension begins a transaction when it is loaded",
    covers,
    steps: [
      ALLOWED,
      ["load_extension", "begins"],
      ["get", "in_transaction"],
      ["execute", "CREATE TABLE t (x)"],
      ["rollback"],
      ["get", "in_transaction"],
      ["all", "SELECT name FROM sqlite_master"],
    ],
  },
  {
    title: "an extension is loaded beside a half-read cursor",
    covers,
    steps: [
      ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)"],
      ALLOWED,
      ["execute", "SELECT x FROM t"],
      ["fetchone"],
      ["load_extension", "good"],
      SEVEN,
      ["fetchall"],
    ],
  },
  {
    title: "functions are defined anew beside a half-read cursor",
    covers,
    steps: [
      ["script", "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)"],
      ALLOWED,
      ["load_extension", "good"],
      ["execute", "SELECT x FROM t"],
      ["fetchone"],
      ["load_extension", "good"],
      ["fetchall"],
    ],
    differs:
      "the rest of a half-read cursor is read before an extension is loaded, which then may replace functions",
  },
  {
    title: "a function of an extension throws",
    covers,
    steps: [
      ["script", "CREATE TABLE t (x)"],
      ALLOWED,
      ["load_extension", "good"],
      ["all", "SELECT boom()"],
      ["execute", "INSERT INTO t VALUES (boom())"],
      ["get", "in_transaction"],
      ["rollback"],
      ["all", "SELECT x FROM t"],
    ],
  },
  {
    title: "wrong arguments for extensions",
    covers,
    steps: [
      ["enable_load_extension", "yes"],
      ["enable_load_extension", null],
      ALLOWED,
      ["load_path", 5],
      ["load_path", null],
      ["load_path", { $blob: "78" }],
      ["load_path", "a\0b"],
    ],
  },
  {
    title: "an extension for a closed connection",
    covers,
    steps: [["close"], ALLOWED, ["load_extension", "good"]],
    differs:
      "a closed connection rejects with `ConnectionClosedError`, an `OperationalError`, instead of `ProgrammingError`",
  },
];
