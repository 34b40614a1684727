import { createPool } from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { rejection, temporaryPath } from "../support/database.ts";

const noRows = { columns: [], types: [], rows: [] };

it("execute() gives rows as arrays, column names and counts, on the pool and in its transactions", async () => {
  const pool = await createPool(await temporaryPath(), { readers: 1 });
  onTestFinished(() => pool.close());
  expect(await pool.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")).toMatchObject({
    ...noRows,
    changes: 0,
  });
  expect(await pool.execute("INSERT INTO t (a) VALUES (?), (?)", ["x", null])).toEqual({
    ...noRows,
    changes: 2,
    lastInsertRowid: 2,
  });
  expect(await pool.execute("SELECT id, a AS id FROM t ORDER BY t.id")).toMatchObject({
    columns: ["id", "id"],
    types: ["INTEGER", null],
    rows: [
      [1, "x"],
      [2, null],
    ],
  });
  expect(await pool.execute("SELECT id FROM t WHERE false")).toMatchObject({ columns: ["id"], rows: [] });
  expect(await pool.execute("SELECT id FROM t", [], { firstRow: true })).toMatchObject({ rows: [[1]] });
  await pool.transaction(async (tx) => {
    expect(await tx.execute("INSERT INTO t (a) VALUES (:a) RETURNING id, a", { a: 7 })).toEqual({
      changes: 1,
      lastInsertRowid: 3,
      columns: ["id", "a"],
      types: ["INTEGER", null],
      rows: [[3, 7]],
    });
  });
  await pool.read(async (tx) => {
    expect(await tx.execute("SELECT count(*) FROM t")).toMatchObject({ rows: [[3]] });
    expect(await tx.execute("SELECT id FROM t", [], { firstRow: true })).toMatchObject({ rows: [[1]] });
    expect(await rejection(tx.execute("DELETE FROM t"))).toMatchObject({ code: "SQLITE_READONLY" });
  });
});
