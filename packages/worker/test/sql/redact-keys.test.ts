import { describe, expect, it } from "vitest";
import { messageWithoutKeys, withoutKeys } from "../../dist/sql/index.js";

describe("the text of a statement", () => {
  it.each([
    ["EXPLAIN PRAGMA key = 'k'", "EXPLAIN PRAGMA key = ***"],
    ["EXPLAIN QUERY PLAN PRAGMA main.rekey('k')", "EXPLAIN QUERY PLAN PRAGMA main.rekey(***)"],
    ["PRAGMA [rekey] = 'k'", "PRAGMA [rekey] = ***"],
    ["PRAGMA [rekey = 'k'", "PRAGMA [rekey = 'k'"],
    ["PRAGMA rekey('k'", "PRAGMA rekey(***"],
    ["ATTACH 'x' AS x KEY 'k'; SELECT 'key'", "ATTACH 'x' AS x KEY ***; SELECT 'key'"],
    ["VACUUM INTO 'file:x?hexkey=00&a=1'", "VACUUM INTO 'file:x?hexkey=***&a=1'"],
  ])("%j is shown as %j", (sql, shown) => {
    expect(withoutKeys(sql)).toBe(shown);
  });

  it.each([
    "PRAGMA foreign_keys = ON",
    "PRAGMA key",
    "PRAGMA key =",
    "PRAGMA key(",
    "PRAGMA key 'k'",
    "ATTACH 'x' AS key",
    "ATTACH 'x' AS x KEY",
    "SELECT key FROM t",
    "EXPLAIN SELECT key FROM t",
    "CREATE TABLE t (key PRIMARY KEY)",
    "-- key",
  ])("%j has no key in it", (sql) => {
    expect(withoutKeys(sql)).toBe(sql);
  });
});

it("a message is withheld where it quotes a key of its statement, and only there", () => {
  const sql = "PRAGMA rekey = 'horse staple'";
  expect(messageWithoutKeys("wrong: horse staple", sql)).toBe("the message quotes a key and is withheld");
  expect(messageWithoutKeys('near "staple": syntax error', sql)).toBe(
    "the message quotes a key and is withheld",
  );
  expect(messageWithoutKeys('near "rekey": syntax error', sql)).toBe('near "rekey": syntax error');
  expect(messageWithoutKeys("wrong: horse staple", "SELECT 1")).toBe("wrong: horse staple");
});
