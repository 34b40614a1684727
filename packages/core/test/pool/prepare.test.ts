import {
  IntegrityError,
  OperationalError,
  type Pool,
  PoolStatement,
  ProgrammingError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { open, rejection, temporaryPath } from "../support/database.ts";
import { openPool, outcomes, poolFunctions, until } from "../support/pool-support.ts";

let path: string;
let pool: Pool;

beforeEach(async () => {
  path = await temporaryPath();
  pool = await openPool({ readers: 2 }, path);
  await pool.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
});

describe("prepare() of a pool", () => {
  it("gives a statement at once, which runs again and again", async () => {
    const insert = pool.prepare("INSERT INTO note (name) VALUES (?)");
    const byName = pool.prepare("SELECT id, name FROM note WHERE name = :name");
    const names = pool.prepare("SELECT name FROM note ORDER BY id");
    expect(insert).toBeInstanceOf(PoolStatement);
    expect(insert.source).toBe("INSERT INTO note (name) VALUES (?)");
    for (const [i, name] of ["a", "b", "c"].entries())
      expect(await insert.run([name])).toEqual({ changes: 1, lastInsertRowid: i + 1 });
    expect(await byName.get({ name: "b" })).toEqual({ id: 2, name: "b" });
    expect(await byName.get({ name: "z" })).toBe(undefined);
    expect(await byName.all({ name: "c" })).toEqual([{ id: 3, name: "c" }]);
    expect(await names.all()).toEqual([{ name: "a" }, { name: "b" }, { name: "c" }]);
    const read: unknown[] = [];
    for await (const { name } of names.iterate<{ name: string }>()) read.push(name);
    for await (const { name } of names.iterate<{ name: string }>()) {
      read.push(name);
      break;
    }
    expect(read).toEqual(["a", "b", "c", "a"]);
    expect(await byName.get({ name: 2n }, { integers: "bigint" })).toBe(undefined);
    expect(await byName.get({ name: "b" }, { integers: "bigint" })).toEqual({ id: 2n, name: "b" });
  });

  it("goes to readers and to the writer as the pool's own calls do", async () => {
    const reads = pool.prepare("SELECT count(*) AS n FROM note");
    const returns = pool.prepare("INSERT INTO note (name) VALUES (?) RETURNING id, name");
    const connection = await pool.acquire();
    // The writer is held: a read does not need it, and what writes waits for it.
    expect(await reads.get()).toEqual({ n: 0 });
    const first = returns.get(["x"]);
    await until(() => pool.stats().waiting === 1);
    await connection.close();
    expect(await first).toEqual({ id: 1, name: "x" });
    expect(await returns.all(["y"])).toEqual([{ id: 2, name: "y" }]);
    const rows: unknown[] = [];
    for await (const row of returns.iterate(["z"])) rows.push(row);
    expect(rows).toEqual([{ id: 3, name: "z" }]);
    expect(await reads.get()).toEqual({ n: 3 });
  });

  it("holds no connection", async () => {
    const statements = Array.from({ length: 50 }, (_, i) => pool.prepare(`SELECT ${i} AS i`));
    expect(pool.stats()).toMatchObject({ readers: 0, busy: 0, pending: 0 });
    expect(await Promise.all(statements.map((statement) => statement.get()))).toEqual(
      statements.map((_, i) => ({ i })),
    );
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
  });

  it("tells its columns without running it", async () => {
    const select = pool.prepare("SELECT id, name AS n, 1 + 1 FROM note");
    expect(await select.columns()).toEqual([
      { name: "id", column: "id", table: "note", database: "main", type: "INTEGER" },
      { name: "n", column: "name", table: "note", database: "main", type: "TEXT" },
      { name: "1 + 1", column: null, table: null, database: null, type: null },
    ]);
    const db = await open(path);
    expect(await select.columns()).toEqual((await db.describe(select.source)).columns);
    const returning = pool.prepare("INSERT INTO note (name) VALUES ('no') RETURNING id");
    expect((await returning.columns()).map(({ name }) => name)).toEqual(["id"]);
    expect(await pool.prepare("DELETE FROM note").columns()).toEqual([]);
    expect(await rejection(pool.prepare("SELECT a FROM nowhere").columns())).toMatchObject({
      name: "OperationalError",
      message: "no such table: nowhere",
      sql: "SELECT a FROM nowhere",
    });
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 0 });
    // As the table is now.
    await pool.exec("ALTER TABLE note ADD COLUMN text BLOB");
    expect((await pool.prepare("SELECT * FROM note").columns()).map(({ type }) => type)).toEqual([
      "INTEGER",
      "TEXT",
      "BLOB",
    ]);
  });

  it("refuses at once what no single call can run, and rejects what SQLite does not know when it is run", async () => {
    for (const wrong of [5, null, undefined, {}, ["SELECT 1"]])
      expect(() => pool.prepare(wrong as never)).toThrow(TypeError);
    for (const wrong of ["SELECT 1\0", "BEGIN", "COMMIT", "PRAGMA cache_size = 5", "ATTACH 'x' AS x"])
      expect(() => pool.prepare(wrong)).toThrow(ProgrammingError);
    const two = pool.prepare as (...args: unknown[]) => unknown;
    expect(() => two.call(pool, "SELECT 1", [])).toThrow(TypeError);
    const nowhere = pool.prepare("SELECT * FROM nowhere");
    expect(await rejection(nowhere.get())).toBeInstanceOf(OperationalError);
    await pool.exec("CREATE TABLE nowhere (a); INSERT INTO nowhere VALUES (1)");
    expect(await nowhere.get()).toEqual({ a: 1 });
  });

  it("refuses wrong values and options as the pool's own calls do, with the line of the call", async () => {
    const insert = pool.prepare("INSERT INTO note (name) VALUES (?)");
    for (const call of [
      () => insert.run(),
      () => insert.run([1, 2]),
      () => insert.get(1 as never),
      () => insert.all([{} as never]),
    ])
      expect(await rejection(call)).toBeInstanceOf(ProgrammingError);
    expect(await rejection(insert.run([1], { tiemout: 5 } as never))).toBeInstanceOf(TypeError);
    const many = insert.run as (...args: unknown[]) => Promise<unknown>;
    expect(await rejection(many.call(insert, [1], {}, 3))).toBeInstanceOf(TypeError);
    await insert.run(["a"]);
    const error = (await rejection(insert.run(["a"]))) as IntegrityError;
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error.code).toBe("SQLITE_CONSTRAINT_UNIQUE");
    expect(error.stack).toMatch(/at .*prepare\.test\.ts/);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    expect(await outcomes([insert.run(["b"], { signal }), insert.columns({ signal })])).toEqual([
      reason,
      reason,
    ]);
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 1 });
  });

  it("goes on when a thread has died", async () => {
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    const fragile = pool.prepare("SELECT exit_if(?) AS z");
    expect(await fragile.get([0])).toEqual({ z: 0 });
    expect(await rejection(fragile.get([1]))).toBeInstanceOf(WorkerCrashedError);
    expect(await fragile.get([0])).toEqual({ z: 0 });
  });

  it("is refused inside the pool's own transaction and when the pool is closed", async () => {
    const select = pool.prepare("SELECT 1 AS one");
    await pool.transaction(async () => {
      expect(await rejection(select.get())).toBeInstanceOf(ProgrammingError);
      expect(await rejection(select.columns())).toBeInstanceOf(ProgrammingError);
    });
    const last = select.get();
    await pool.close();
    expect(await last).toEqual({ one: 1 });
    for (const call of [() => select.get(), () => select.columns(), () => select.iterate().next()])
      expect(await rejection(call)).toMatchObject({ name: "ConnectionClosedError", message: "Pool closed" });
  });
});

describe("prepare() of a transaction", () => {
  it("runs in the transaction, sees what it has written, and is undone with it", async () => {
    const other = await open(path);
    const failed = pool.transaction(async (tx) => {
      const insert = tx.prepare("INSERT INTO note (name) VALUES (?)");
      const names = tx.prepare("SELECT name FROM note ORDER BY id");
      for (const name of ["a", "b"]) expect(await insert.run([name])).toMatchObject({ changes: 1 });
      expect(await names.all()).toEqual([{ name: "a" }, { name: "b" }]);
      expect(await names.get()).toEqual({ name: "a" });
      const read: unknown[] = [];
      for await (const row of names.iterate()) read.push(row);
      expect(read).toEqual([{ name: "a" }, { name: "b" }]);
      expect((await names.columns()).map(({ name }) => name)).toEqual(["name"]);
      const inner = tx.transaction(async (nested) => {
        await nested.prepare("INSERT INTO note (name) VALUES ('c')").run();
        throw new RangeError("the savepoint only");
      });
      expect(await rejection(inner)).toBeInstanceOf(RangeError);
      expect(await names.all()).toHaveLength(2);
      // No other connection sees it.
      expect(await other.get("SELECT count(*) FROM note")).toEqual([0]);
      throw new RangeError("all of it");
    });
    expect(await rejection(failed)).toMatchObject({ message: "all of it" });
    expect(await pool.all("SELECT name FROM note")).toEqual([]);
  });

  it("has the values of the object that it was prepared with, and is over with the transaction", async () => {
    const { kept } = await pool.transaction(async (tx) => {
      const fixed = tx.prepare({ sql: "SELECT ? AS x", values: [7] });
      expect(await fixed.get()).toEqual({ x: 7 });
      expect(await rejection(fixed.get([8]))).toBeInstanceOf(ProgrammingError);
      expect(() => tx.prepare(5 as never)).toThrow(TypeError);
      // A promise's value that is no promise of its own.
      return { kept: fixed };
    });
    expect(await rejection(kept.get())).toBeInstanceOf(ProgrammingError);
  });

  it("of a snapshot reads, and refuses to write", async () => {
    await pool.run("INSERT INTO note (name) VALUES ('a')");
    const other = await open(path, { isolationLevel: null });
    await pool.read(async (tx) => {
      const names = tx.prepare("SELECT name FROM note");
      expect(await names.all()).toEqual([{ name: "a" }]);
      await other.execute("INSERT INTO note (name) VALUES ('b')");
      expect(await names.all()).toEqual([{ name: "a" }]);
      const insert = tx.prepare("INSERT INTO note (name) VALUES ('c') RETURNING id");
      expect(await rejection(insert.get())).toMatchObject({ code: "SQLITE_READONLY" });
      expect(await rejection(insert.run())).toMatchObject({ code: "SQLITE_READONLY" });
    });
    expect(await pool.get("SELECT count(*) AS n FROM note")).toEqual({ n: 2 });
  });
});
