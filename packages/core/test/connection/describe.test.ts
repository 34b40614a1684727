import { createPool, Row } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

const create = `CREATE TABLE city (id INTEGER PRIMARY KEY, "the name" VARCHAR(20), size REAL);
  INSERT INTO city VALUES (1, 'Rome', 2.5), (2, 'Oslo', 0.5)`;
const expression = { column: null, table: null, database: null, type: null };

describe("columns() of a cursor", () => {
  it("tells name, origin and declared type of each column, and null without rows", async () => {
    const db = await open();
    await db.executescript(create);
    await db.executescript("ATTACH ':memory:' AS more; CREATE TABLE more.m (x BLOB)");
    const cursor = await db.execute(
      'SELECT c.id AS "key", "the name", 1 + 1 AS two, x FROM city AS c, more.m',
    );
    expect(cursor.columns()).toEqual([
      { name: "key", column: "id", table: "city", database: "main", type: "INTEGER" },
      { name: "the name", column: "the name", table: "city", database: "main", type: "VARCHAR(20)" },
      { name: "two", ...expression },
      { name: "x", column: "x", table: "m", database: "more", type: "BLOB" },
    ]);
    await cursor.execute("SELECT 1 AS one");
    expect(cursor.columns()).toEqual([{ name: "one", ...expression }]);
    await cursor.execute("UPDATE city SET size = 1");
    expect(cursor.columns()).toBeNull();
  });

  it("tells what a table has become since", async () => {
    const db = await open();
    await db.executescript(create);
    const first = await db.execute("SELECT size FROM city");
    expect(first.columns()).toMatchObject([{ column: "size", table: "city" }]);
    await first.close();
    await db.executescript("ALTER TABLE city RENAME TO town");
    await db.executescript("CREATE VIEW city AS SELECT size FROM town");
    expect((await db.execute("SELECT size FROM city")).columns()).toMatchObject([
      { column: "size", table: "town", type: "REAL" },
    ]);
  });
});

describe("describe()", () => {
  it("compiles a statement and runs nothing", async () => {
    const db = await open();
    await db.executescript(create);
    expect(await db.describe('SELECT id, "the name" FROM city WHERE size > :size AND id = ?')).toEqual({
      columns: [
        { name: "id", column: "id", table: "city", database: "main", type: "INTEGER" },
        { name: "the name", column: "the name", table: "city", database: "main", type: "VARCHAR(20)" },
      ],
      parameters: [":size", null],
      readonly: true,
    });
    expect(await db.describe("DELETE FROM city WHERE id = ?")).toEqual({
      columns: [],
      parameters: [null],
      readonly: false,
    });
    expect(await db.describe("INSERT INTO city (id) VALUES (3) RETURNING id")).toMatchObject({
      columns: [{ name: "id" }],
      readonly: false,
    });
    expect(await db.describe("  -- nothing")).toEqual({ columns: [], parameters: [], readonly: true });
    expect([db.inTransaction, await db.executeFetchall("SELECT count(*) FROM city")]).toEqual([false, [[2]]]);
  });

  it("tells what another connection has made of a table since, whether or not the statement has run", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec(create);
    const db = await open(path);
    const columns = async (sql: string): Promise<unknown> =>
      (await db.describe(sql)).columns.map(({ name, type }) => [name, type]);
    await db.executeFetchall("SELECT * FROM city");
    expect(await columns("SELECT * FROM city LIMIT 1")).toHaveLength(3);
    const cursor = await db.execute("SELECT * FROM city");
    expect(await cursor.fetchone()).toEqual([1, "Rome", 2.5]);
    await cursor.close();
    other.exec("ALTER TABLE city ADD COLUMN river BLOB");
    for (const sql of ["SELECT * FROM city", "SELECT * FROM city LIMIT 1", "SELECT * FROM city LIMIT 2"]) {
      expect(await columns(sql)).toEqual([
        ["id", "INTEGER"],
        ["the name", "VARCHAR(20)"],
        ["size", "REAL"],
        ["river", "BLOB"],
      ]);
    }
    expect(await db.executeFetchall("SELECT * FROM city LIMIT 1")).toEqual([[1, "Rome", 2.5, null]]);
  });

  it("of a statement that a cursor is reading leaves the cursor as it is", async () => {
    const db = await open(":memory:", { iterChunkSize: 1 });
    await db.executescript(create);
    const cursor = await db.execute("SELECT id FROM city ORDER BY id");
    expect((await db.describe("SELECT id FROM city ORDER BY id")).columns).toMatchObject([{ name: "id" }]);
    expect(await db.executeFetchall("SELECT id FROM city ORDER BY id")).toEqual([[1], [2]]);
    expect(await cursor.fetchall()).toEqual([[1], [2]]);
  });

  it("rejects with what is wrong with the text", async () => {
    const db = await open();
    expect(await rejection(db.describe("SELECT * FROM missing"))).toMatchObject({
      name: "OperationalError",
      message: "no such table: missing",
      sql: "SELECT * FROM missing",
    });
    expect(await rejection(db.describe("SELECT 1; SELECT 2"))).toMatchObject({ name: "ProgrammingError" });
    expect(await rejection(db.describe(1 as never))).toBeInstanceOf(TypeError);
    await db.close();
    expect(await rejection(db.describe("SELECT 1"))).toMatchObject({ name: "ConnectionClosedError" });
  });

  it("has its turn inside a transaction, and counts a pragma for what it does when it is compiled", async () => {
    const pool = await createPool(await temporaryPath(), { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    const lease = await pool.acquire();
    const inside = lease.transaction(async (tx) => {
      await tx.executescript("CREATE TABLE t (a)");
      return await tx.describe("SELECT a FROM t");
    });
    expect(await inside).toMatchObject({ columns: [{ name: "a", table: "t" }] });
    await lease.describe("PRAGMA case_sensitive_like = ON");
    await lease.close();
    expect(await pool.get("SELECT 'a' LIKE 'A' AS alike")).toEqual({ alike: 1 });
  });
});

describe("get() and run() of a connection", () => {
  it("give the first row in the row factory's form, and undefined where there is none", async () => {
    const db = await open();
    await db.executescript(create);
    expect(await db.get("SELECT id, size FROM city ORDER BY id")).toEqual([1, 2.5]);
    expect(await db.get("SELECT id FROM city WHERE id = ?", [9])).toBeUndefined();
    db.rowFactory = Row;
    expect(await db.get('SELECT "the name" AS name FROM city WHERE id = :id', { id: 2 })).toEqual({
      name: "Oslo",
    });
    db.rowFactory = (cursor, row) => [cursor.description?.[0]?.[0], ...row];
    expect(await db.get("SELECT id FROM city WHERE id = 2")).toEqual(["id", 2]);
    expect(await db.get("UPDATE city SET size = 9 WHERE id = 2 RETURNING size")).toEqual(["size", 9]);
    expect(db.inTransaction).toBe(true);
  });

  it("give the counts, and open a transaction as execute() does", async () => {
    const db = await open();
    await db.executescript(create);
    expect(await db.run("INSERT INTO city VALUES (9, 'Bern', 0.1)")).toEqual({
      changes: 1,
      lastInsertRowid: 9,
    });
    expect(db.inTransaction).toBe(true);
    expect(await db.run("UPDATE city SET size = 0")).toEqual({ changes: 3, lastInsertRowid: 9 });
    expect((await db.run("SELECT 1")).changes).toBe(0);
    expect(await rejection(db.run("INSERT INTO city (id) VALUES (9)"))).toMatchObject({
      code: "SQLITE_CONSTRAINT_PRIMARYKEY",
    });
    await db
      .transaction(async (tx) => {
        expect(await tx.get("SELECT count(*) FROM city")).toEqual([3]);
      })
      .catch(() => {});
    await db.rollback();
    expect(await db.get("SELECT count(*) FROM city")).toEqual([2]);
  });
});

describe("executescript({ commit: false })", () => {
  it("runs its statements inside the open transaction", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (a)");
    await db.execute("INSERT INTO t VALUES (1)");
    await db.executescript("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)", { commit: false });
    expect(db.inTransaction).toBe(true);
    await (await db.cursor()).executescript("INSERT INTO t VALUES (4)", { commit: false });
    await db.rollback();
    expect(await db.get("SELECT count(*) FROM t")).toEqual([0]);
    await db.execute("INSERT INTO t VALUES (1)");
    await db.executescript("SELECT 1");
    expect([db.inTransaction, await db.get("SELECT count(*) FROM t")]).toEqual([false, [1]]);
    expect(await rejection(db.executescript("SELECT 1", { commit: 0 as never }))).toBeInstanceOf(TypeError);
  });
});

it("execute() of a pool tells the declared types", async () => {
  const pool = await createPool(await temporaryPath());
  onTestFinished(() => pool.close());
  await pool.exec(create);
  expect(await pool.execute('SELECT id, "the name", size, id + 1 FROM city WHERE id = 1')).toMatchObject({
    columns: ["id", "the name", "size", "id + 1"],
    types: ["INTEGER", "VARCHAR(20)", "REAL", null],
  });
  expect(await pool.execute("UPDATE city SET size = 1")).toMatchObject({ columns: [], types: [] });
});
