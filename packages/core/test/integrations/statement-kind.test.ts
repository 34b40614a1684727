import { describe, expect, it } from "vitest";
import { statementKind } from "../../dist/integrations/statement-kind.js";

describe("what a query builder knows of a statement before it runs", () => {
  it.each([
    ["SELECT 1", "rows"],
    ["-- a note\nWITH a AS (SELECT 1) SELECT * FROM a", "rows"],
    ["EXPLAIN DELETE FROM t", "rows"],
    ["INSERT INTO t VALUES (1)", "insert"],
    ["WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", "insert"],
    ["INSERT INTO t VALUES (1) RETURNING a", "rows"],
    ["UPDATE t SET a = 'returning'", "change"],
    ["WITH a AS (SELECT 1) DELETE FROM t RETURNING a", "rows"],
    ["; BEGIN", "session"],
    ["ROLLBACK TO a", "session"],
    ["DETACH a", "session"],
    ["PRAGMA foreign_keys = OFF", "session"],
    ["PRAGMA foreign_keys /* = ON */", "rows"],
    ["PRAGMA table_info(t)", "rows"],
    ["CREATE TEMP TABLE t (a)", "session"],
    ["CREATE TABLE temperature (temp)", "other"],
    ["CREATE TABLE t (a)", "other"],
    ["", "other"],
  ])("%j is %s", (sql, kind) => {
    expect(statementKind(sql)).toBe(kind);
  });
});
