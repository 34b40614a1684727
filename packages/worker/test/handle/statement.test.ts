import { describe, expect, it } from "vitest";
import { Statement } from "../../dist/handle/statement.js";

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
