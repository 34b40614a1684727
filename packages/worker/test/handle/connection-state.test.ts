import { describe, expect, it } from "vitest";
import { ConnectionState } from "../../dist/handle/connection-state.js";
import { StatementFacts } from "../../dist/sql/index.js";
import { Taint } from "../../dist/sql/taint.js";
import { Flag } from "../../dist/wire/index.js";

function state({ pooled = true, inTransaction = false, hasTempTables = false } = {}) {
  const schema = { tempVersion: 1, hasTempTables, epoch: 1 };
  const handle = { inTransaction, db: {}, privately: <T>(work: () => T): T => work() };
  const connection = new ConnectionState(handle as never, schema as never);
  connection.opened(pooled);
  return { connection, schema };
}

const pragma = (sql: string): StatementFacts => new StatementFacts(sql);

describe("a connection", () => {
  it("is tainted by what outlives a transaction, and by temporary objects that have come or gone", () => {
    const { connection, schema } = state();
    connection.taintBy(Taint.NONE);
    connection.taintBy(Taint.PERHAPS);
    expect(connection.tainted).toBe(false);
    schema.tempVersion++;
    connection.taintBy(Taint.NONE);
    expect(connection.tainted).toBe(false);
    connection.taintBy(Taint.PERHAPS);
    expect(connection.tainted).toBe(true);
    connection.settle();
    connection.taintBy(Taint.PERHAPS);
    expect(connection.tainted).toBe(false);
    connection.taintBy(Taint.SURE);
    expect(connection.tainted).toBe(true);
  });

  it("is tainted by a write to a temporary table, where there is any", () => {
    const writes = { dml: true, writesTemp: () => true };
    const none = state().connection;
    none.wroteBy(writes as never);
    expect(none.tainted).toBe(false);
    const { connection } = state({ hasTempTables: true });
    connection.wroteBy({ dml: false, writesTemp: () => true } as never);
    connection.wroteBy({ dml: true, writesTemp: () => false } as never);
    expect(connection.tainted).toBe(false);
    connection.wroteBy(writes as never);
    expect(connection.tainted).toBe(true);
  });

  it("of a pool refuses what would hold for the process, any other notes that it outlasts the handle", () => {
    const heap = pragma("PRAGMA hard_heap_limit = 1000000");
    expect(() => state().connection.check(heap, 0)).toThrow(
      expect.objectContaining({
        code: "SETTING",
        message: expect.stringContaining("holds for the whole process"),
      }),
    );
    const { connection } = state({ pooled: false });
    connection.check(heap, 0);
    expect(connection.outlasted).toBe(true);
  });

  it("refuses PRAGMA foreign_keys inside a transaction of a pool or of transaction(), where SQLite ignores it", () => {
    const keys = pragma("PRAGMA foreign_keys = OFF");
    const refused = expect.objectContaining({
      code: "SETTING",
      message: expect.stringContaining("foreign_keys inside a transaction"),
    });
    expect(() => state({ inTransaction: true }).connection.check(keys, 0)).toThrow(refused);
    const own = state({ inTransaction: true, pooled: false }).connection;
    expect(() => own.check(keys, Flag.IN_TRANSACTION)).toThrow(refused);
    own.check(keys, 0);
    state().connection.check(keys, 0);
    state({ inTransaction: true }).connection.check(pragma("PRAGMA defer_foreign_keys = ON"), 0);
    expect(own.outlasted).toBe(false);
  });
});
