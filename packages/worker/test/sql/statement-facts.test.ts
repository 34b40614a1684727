import { createRequire } from "node:module";
import { afterAll, describe, expect, test } from "vitest";
import { factsOf, StatementFacts } from "../../dist/sql/statement-facts.js";
import { Taint } from "../../dist/sql/taint.js";

interface Database {
  prepare(sql: string): { readonly readonly: boolean; readonly reader: boolean };
  exec(sql: string): void;
  close(): void;
}
const Engine = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => Database;
const db = new Engine(":memory:");
db.exec('CREATE TABLE t (a, "returning", "insert", changes); CREATE TABLE "delete" (a)');
afterAll(() => db.close());

describe("the keyword of a statement", () => {
  test.each([
    ["select 1", "SELECT"],
    ["  \t\r\n\finsert into t values (1)", "INSERT"],
    ["-- first\n-- second\r\nUpDate t set a = 1", "UPDATE"],
    ["/* a */ -- b\n/* c; */delete from t", "DELETE"],
    ["/**/replace into t values (1)", "REPLACE"],
    [";; ;/* x */; with x as (select 1) select * from x", "WITH"],
    ["BEGIN", "BEGIN"],
    ["begin;", "BEGIN"],
    ["commit--", "COMMIT"],
    ["values(1)", "VALUES"],
    ["\uFEFFpragma foreign_keys", "PRAGMA"],
    ["", ""],
    [" \n", ""],
    [";", ""],
    ["-- insert", ""],
    ["/* insert", ""],
    ["(select 1)", ""],
    ["'insert'", ""],
    ["?", ""],
    ["/*", ""],
    ["- - insert", ""],
    ["insert$", ""],
    // The upper case of a dotless i is an I, but this is no keyword.
    ["ınsert into t values (1)", ""],
  ])("of %j is %j", (sql, keyword) => {
    expect(new StatementFacts(sql).keyword).toBe(keyword);
  });
});

/** Texts that may come before any statement, and in place of any blank. */
const BEFORE = ["", "  \n", "-- insert\n", "/* begin; */ ;; ", "\uFEFF"];
const BLANKS = [" ", "\n", " /* ; select */ ", "-- (\n"];

/** `sql` with every one of these. */
function disguised(sql: string): string[] {
  return BEFORE.flatMap((before) => BLANKS.map((blank) => before + sql.replaceAll(" ", blank)));
}

const QUERIES = [
  "SELECT 1",
  "VALUES (1)",
  "SELECT 'insert into t returning'",
  "WITH x AS (SELECT 1) SELECT * FROM x",
  'WITH RECURSIVE "insert" (n) AS (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) SELECT n FROM "insert" , b',
  "WITH [delete] AS (SELECT 1) SELECT * FROM [delete]",
  "WITH x AS (VALUES (1)) VALUES (2)",
  "EXPLAIN INSERT INTO t (a) VALUES (1)",
  "EXPLAIN QUERY PLAN DELETE FROM t",
];
const WRITES = [
  "INSERT INTO t (a) VALUES ('returning')",
  'INSERT INTO t ("returning") SELECT "returning" FROM t',
  "REPLACE INTO t (a) SELECT 1",
  "UPDATE t SET a = (SELECT 1)",
  "DELETE FROM t",
  "WITH x AS (SELECT 1) INSERT INTO t (a) SELECT * FROM x",
  "WITH x AS (SELECT 1), replace AS (SELECT 2) UPDATE t SET a = 1",
  "WITH x (a, b) AS MATERIALIZED (SELECT 1, 2) DELETE FROM t WHERE a IN (SELECT a FROM x)",
];

describe("what a statement does to rows", () => {
  test.each(QUERIES.flatMap(disguised))("%j only reads, as the engine says", (sql) => {
    const facts = new StatementFacts(sql);
    expect(facts).toMatchObject({ onlyReads: true, writes: false, begins: false, returns: false });
    const compiled = db.prepare(sql);
    // SQLite says of EXPLAIN what it says of the statement behind it, which is not run.
    expect([compiled.readonly, compiled.reader]).toEqual([facts.keyword !== "EXPLAIN", true]);
  });

  test.each(WRITES.flatMap(disguised))("%j writes and gives no rows, as the engine says", (sql) => {
    const facts = new StatementFacts(sql);
    expect(facts).toMatchObject({ onlyReads: false, writes: true, returns: false, keepsSchema: true });
    expect(facts.begins).toBe(facts.keyword !== "WITH");
    expect(facts.inserts).toBe(
      /\b(?:insert|replace)\b\S* (?:.*)into/is.test(sql.replaceAll(/--[^\n]*\n|\s/g, " ")),
    );
    const compiled = db.prepare(sql);
    expect([compiled.readonly, compiled.reader]).toEqual([false, false]);
  });

  test.each(WRITES.map((sql) => `${sql} RETURNING a`).flatMap(disguised))(
    "%j writes and gives rows, as the engine says",
    (sql) => {
      expect(new StatementFacts(sql)).toMatchObject({ onlyReads: false, writes: true, returns: true });
      const compiled = db.prepare(sql);
      expect([compiled.readonly, compiled.reader]).toEqual([false, true]);
    },
  );

  test.each([
    ["INSERT INTO t (a) SELECT changes ( )", true],
    ["UPDATE t SET a = TOTAL_CHANGES()", true],
    ["DELETE FROM t WHERE a = last_insert_rowid()", true],
    ['UPDATE t SET a = "changes"()', true],
    ["UPDATE t SET a = changes/* how many */()", true],
    ["INSERT OR ROLLBACK INTO t (a) VALUES (1)", true],
    ["UPDATE t SET changes = changes + 1", false],
    ["INSERT INTO t (a) VALUES ('rollback'), ('changes()')", false],
    ["INSERT INTO t (a) VALUES (1) -- changes()", false],
  ])("%j reaches what others did: %j", (sql, expected) => {
    expect(new StatementFacts(sql).reachesOut).toBe(expected);
  });
});

describe("what a statement does to the transaction", () => {
  test.each([
    ["BEGIN", { verb: "begin", mode: "deferred" }, false],
    ["begin deferred transaction", { verb: "begin", mode: "deferred" }, false],
    ["BEGIN IMMEDIATE", { verb: "begin", mode: "immediate" }, false],
    ["BEGIN EXCLUSIVE TRANSACTION", { verb: "begin", mode: "exclusive" }, false],
    ["COMMIT", { verb: "commit" }, true],
    ["END TRANSACTION", { verb: "commit" }, true],
    ["ROLLBACK", { verb: "rollback" }, true],
    ["ROLLBACK TRANSACTION a", { verb: "rollback" }, true],
    ["ROLLBACK TO A", { verb: "rollback to", name: "a" }, false],
    ["rollback transaction to savepoint [A b]", { verb: "rollback to", name: "a b" }, false],
    ["ROLLBACK TRANSACTION x TO SAVEPOINT a", { verb: "rollback to", name: "a" }, false],
    ['SAVEPOINT "a ""b"""', { verb: "savepoint", name: 'a "b"' }, false],
    ["RELEASE a", { verb: "release", name: "a" }, false],
    ["RELEASE SAVEPOINT `A`", { verb: "release", name: "a" }, false],
    ["SELECT 1", null, false],
    ["EXPLAIN COMMIT", null, false],
    ["CREATE TABLE commit_log (a)", null, false],
  ])("%s", (sql, transaction, ends) => {
    // A comment is no blank inside of quotes.
    for (const text of /["[]/.test(sql) ? BEFORE.map((before) => before + sql) : disguised(sql)) {
      const facts = new StatementFacts(text);
      expect(facts.transaction, text).toEqual(transaction);
      expect(facts.endsTransaction, text).toBe(ends);
    }
  });
});

describe("what a pragma is about", () => {
  test.each([
    ["PRAGMA user_version", { name: "user_version", schema: "", value: null, asks: true }],
    ["PRAGMA user_version = -7", { name: "user_version", schema: "", value: "-7", asks: false }],
    [
      "PRAGMA Main . \"Foreign_Keys\" = 'OFF'",
      { name: "foreign_keys", schema: "main", value: "off", asks: false },
    ],
    ["PRAGMA table_info (t)", { name: "table_info", schema: "", value: "t", asks: true }],
    ["PRAGMA wal_checkpoint", { name: "wal_checkpoint", schema: "", value: null, asks: false }],
    [
      "PRAGMA wal_checkpoint (TRUNCATE)",
      { name: "wal_checkpoint", schema: "", value: "truncate", asks: false },
    ],
    ["SELECT 'PRAGMA a = 1'", null],
  ])("%s", (sql, pragma) => {
    for (const text of disguised(sql)) {
      const facts = new StatementFacts(text);
      expect(facts.pragma, text).toEqual(pragma);
      if (facts.keyword === "PRAGMA") expect(facts.onlyReads, text).toBe(pragma!.asks);
    }
  });

  test("is known of EXPLAIN too, which compiles it", () => {
    expect(new StatementFacts("EXPLAIN QUERY PLAN PRAGMA a.b(1)").pragma).toMatchObject({
      name: "b",
      schema: "a",
    });
    expect(new StatementFacts("explain pragma cache_size = 1").taint).toBe(Taint.SURE);
  });

  test("names the settings of which more is known", () => {
    const of = (sql: string): unknown[] => {
      const { setsForeignKeys, busyTimeout, setting } = new StatementFacts(sql);
      return [setsForeignKeys, busyTimeout, setting];
    };
    expect(of("pragma foreign_keys = off")).toEqual([true, null, "PRAGMA"]);
    expect(of("pragma foreign_keys")).toEqual([false, null, null]);
    expect(of("pragma /* ( */ busy_timeout")).toEqual([false, "reads", null]);
    expect(of("pragma busy_timeout(7)")).toEqual([false, "sets", "PRAGMA"]);
    expect(of("pragma journal_mode = wal")).toEqual([false, null, null]);
  });
});

describe("what a statement leaves behind", () => {
  test.each([
    ["SELECT 1", Taint.NONE, null],
    ["INSERT INTO t VALUES (1)", Taint.NONE, null],
    ["ATTACH 'a' AS a", Taint.SURE, "ATTACH"],
    ["DETACH a", Taint.SURE, "ATTACH"],
    ["CREATE TABLE a (temp)", Taint.PERHAPS, null],
    ["CREATE TABLE temperature (a)", Taint.PERHAPS, null],
    ["create temporary table a (b)", Taint.PERHAPS, "TEMP"],
    ["CREATE TEMP VIEW a AS SELECT 1", Taint.PERHAPS, "TEMP"],
    ["CREATE TABLE IF NOT EXISTS Temp . a (b)", Taint.PERHAPS, "TEMP"],
    ['CREATE UNIQUE INDEX "temp".a ON b (c)', Taint.PERHAPS, "TEMP"],
    ["CREATE TABLE temp (a)", Taint.PERHAPS, null],
    ["PRAGMA temp.user_version = 1", Taint.SURE, "PRAGMA"],
    ["DROP TABLE a", Taint.PERHAPS, null],
    ["PRAGMA cache_size = 1", Taint.SURE, "PRAGMA"],
    ["PRAGMA table_info(a)", Taint.NONE, null],
    ["PRAGMA user_version = 1", Taint.NONE, null],
    ["PRAGMA temp.schema_version = 1", Taint.SURE, "PRAGMA"],
    ["PRAGMA soft_heap_limit = 1", Taint.PROCESS, "PRAGMA"],
  ])("%s", (sql, taint, setting) => {
    for (const text of disguised(sql))
      expect(new StatementFacts(text), text).toMatchObject({ taint, setting });
  });

  test("is a changed database after VACUUM, but not after VACUUM INTO", () => {
    expect(new StatementFacts("/* into */ VACUUM").vacuumsInto).toBe(false);
    expect(new StatementFacts('VACUUM "into"').vacuumsInto).toBe(false);
    expect(new StatementFacts("vacuum main into 'a'").vacuumsInto).toBe(true);
    expect(new StatementFacts("vacuum main into 'a'").opensFile).toBe(true);
  });
});

describe("the facts of a text", () => {
  test("are looked for once", () => {
    const sql = "SELECT 'looked for once'";
    expect(factsOf(sql)).toBe(factsOf(sql));
    expect(factsOf(sql).parameters).toBe(factsOf(sql).parameters);
  });
});
