import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import type { EngineDatabase } from "../../dist/engine/engine-api.js";
import { Statement } from "../../dist/handle/statement.js";

const Engine = createRequire(import.meta.url)("better-sqlite3") as new (path: string) => EngineDatabase;

const insert = (): Statement => new Statement(1, "INSERT INTO t VALUES (?)", null);

describe("a statement in the transaction of others", () => {
  it("is slow once it has taken more than ten milliseconds, until it has been quick again and again", () => {
    const statement = insert();
    statement.ranInGroup(10);
    expect(statement.slow).toBe(false);
    statement.ranInGroup(50);
    expect(statement.slow).toBe(true);
    statement.ranInGroup(0);
    expect(statement.slow).toBe(true);
    for (let i = 0; i < 20; i++) statement.ranInGroup(0);
    expect(statement.slow).toBe(false);
  });

  it("needs a savepoint until it has run well, and again where it leaves rows or calls functions", () => {
    const statement = insert();
    expect(statement.needsGuard).toBe(true);
    statement.proven = true;
    expect(statement.needsGuard).toBe(false);
    statement.leavesRows = true;
    expect(statement.needsGuard).toBe(true);
    statement.leavesRows = false;
    statement.callsOut = true;
    expect(statement.needsGuard).toBe(true);
  });
});

describe("a statement", () => {
  it("is quick once it has been, unless it alters the schema: answers before it would have the new names", () => {
    const select = new Statement(1, "SELECT 1", null);
    const alter = new Statement(2, "ALTER TABLE t RENAME a TO b", null);
    for (const statement of [select, alter]) {
      expect(statement.quick).toBe(false);
      statement.spent(0);
    }
    expect([select.quick, alter.quick]).toEqual([true, false]);
  });

  it("is compiled once more while it is being stepped", () => {
    const db = new Engine(":memory:");
    const statement = new Statement(1, "SELECT 1", null);
    const first = statement.handle(db);
    expect(statement.handle(db)).toBe(first);
    statement.lend(first);
    expect(statement.handle(db)).not.toBe(first);
    statement.giveBack(first);
    expect(statement.handle(db)).toBe(first);
    db.close();
  });
});
