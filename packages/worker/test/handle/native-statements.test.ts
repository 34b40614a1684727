import { describe, expect, it, onTestFinished, vi } from "vitest";
import { attachNative, native } from "../../dist/engine/native.js";
import { NativeStatements } from "../../dist/handle/native-statements.js";
import { Statement } from "../../dist/handle/statement.js";
import { openEngine } from "../../../core/test/support/database.ts";
import { createControl, openControl } from "../../dist/wire/control-block.js";

/** Statements on a real handle, and the numbers of those that were finalized. */
function opened(): {
  statements: NativeStatements;
  finalized: unknown[];
  statement: (id: number) => Statement;
} {
  const db = openEngine(":memory:");
  const statements = new NativeStatements(openControl(createControl()), () => 1);
  statements.attached(db as never, attachNative(db as never));
  const finalize = vi.spyOn(native!, "finalize");
  onTestFinished(() => {
    finalize.mockRestore();
    statements.detached();
    db.close();
  });
  const finalized: unknown[] = [];
  finalize.mockImplementation((_token: number, id?: number) => void finalized.push(id));
  return { statements, finalized, statement: (id) => new Statement(id, `SELECT ${id}`, null) };
}

describe.skipIf(native === null)("a statement of the companion", () => {
  it("is finalized when it is forgotten, or when it is given back after that", () => {
    const { statements, finalized, statement } = opened();
    const [idle, lent] = [statement(1), statement(2)];
    const { id } = statements.idle(idle)!;
    statements.forget(idle);
    expect(finalized).toEqual([id]);
    const taken = statements.take(lent)!;
    statements.forget(lent);
    expect(finalized).toEqual([id]);
    statements.giveBack(lent, taken);
    expect(finalized).toEqual([id, taken.id]);
  });

  it("of which a second one is needed meanwhile has that finalized, and stays itself", () => {
    const { statements, finalized, statement } = opened();
    const one = statement(1);
    const [first, second] = [statements.take(one)!, statements.take(one)!];
    expect(second.id).not.toBe(first.id);
    statements.giveBack(one, second);
    expect(finalized).toEqual([second.id]);
    statements.giveBack(one, first);
    expect(finalized).toEqual([second.id]);
    expect(statements.take(one)).toBe(first);
  });
});
