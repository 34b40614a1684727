import {
  capabilities,
  type Connection,
  type Pool,
  ProgrammingError,
  type SqlStatement,
} from "@sqlite-aio/core";
import sql, { bulk, empty, join, raw } from "sql-template-tag";
import { beforeEach, describe, expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

let pool: Pool;
let db: Connection;

const TABLE = sql`CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, size REAL)`;

beforeEach(async () => {
  pool = await openPool({ readers: 1 });
  db = await open(":memory:", { isolationLevel: null });
  await pool.exec(TABLE);
  await db.executescript(TABLE);
  const fill = sql`INSERT INTO city (name, size) VALUES ${bulk([
    ["Rome", 2.5],
    ["Oslo", 0.5],
    ["Bonn", 0.3],
  ])}`;
  await pool.run(fill);
  await db.run(fill);
});

describe("a { sql, values } object of sql-template-tag is taken", () => {
  const named = (name: string): SqlStatement => sql`SELECT id, name FROM city WHERE name = ${name}`;
  const large = sql`size > ${0.4}`;
  const names = sql`SELECT name FROM city WHERE ${large} AND id IN (${join([1, 2, 3])}) ${empty} ORDER BY ${raw("id")}`;

  it("by the calls of a pool", async () => {
    expect(await pool.get(named("Oslo"))).toEqual({ id: 2, name: "Oslo" });
    expect(await pool.all(names)).toEqual([{ name: "Rome" }, { name: "Oslo" }]);
    const read: unknown[] = [];
    for await (const { name } of pool.iterate<{ name: string }>(names)) read.push(name);
    expect(read).toEqual(["Rome", "Oslo"]);
    expect(await pool.execute(named("Rome"))).toMatchObject({ rows: [[1, "Rome"]], columns: ["id", "name"] });
    expect(await pool.get(sql`INSERT INTO city (name) VALUES (${"Bern"}) RETURNING id`)).toEqual({ id: 4 });
    expect(await pool.executemany(sql`DELETE FROM city WHERE id = ?`, [[4], [5]])).toEqual({ changes: 1 });
    await pool.exec(sql`DELETE FROM city; ${raw("DROP TABLE city")}`);
    expect(await pool.all(sql`SELECT name FROM sqlite_schema`)).toEqual([]);
  });

  it("by prepare(), whose statement keeps the values that it was given", async () => {
    const one = named("Oslo");
    const statement = pool.prepare(one);
    (one.values as unknown[])[0] = "Rome";
    expect(statement.source).toBe("SELECT id, name FROM city WHERE name = ?");
    expect(await statement.get()).toEqual({ id: 2, name: "Oslo" });
    expect(await statement.all(undefined, { timeout: 10_000 })).toEqual([{ id: 2, name: "Oslo" }]);
    for await (const row of statement.iterate()) expect(row).toEqual({ id: 2, name: "Oslo" });
    expect((await statement.columns()).map(({ name }) => name)).toEqual(["id", "name"]);
    expect(await rejection(() => statement.get(["Rome"]))).toBeInstanceOf(ProgrammingError);
    expect(() => pool.prepare({ sql: "SELECT ?", values: [] })).toThrow(ProgrammingError);
    expect(await pool.prepare(sql`SELECT 1 AS one`).get()).toEqual({ one: 1 });
  });

  it("by the handles of transaction() and read()", async () => {
    await pool.transaction(async (tx) => {
      expect(await tx.run(sql`UPDATE city SET size = ${9} WHERE name = ${"Bonn"}`)).toMatchObject({
        changes: 1,
      });
      expect(await tx.get(named("Bonn"))).toEqual({ id: 3, name: "Bonn" });
      expect(await tx.executemany(sql`DELETE FROM city WHERE id = ?`, [[2]])).toEqual({ changes: 1 });
      await tx.exec(sql`INSERT INTO city (name) VALUES ('Ulm')`);
      expect(await tx.all(sql`SELECT id FROM city WHERE id > ${2}`)).toEqual([{ id: 3 }, { id: 4 }]);
    });
    await pool.read(async (tx) => {
      expect(await tx.get(named("Ulm"))).toEqual({ id: 4, name: "Ulm" });
      expect((await tx.execute(named("Rome"))).rows).toEqual([[1, "Rome"]]);
      const read: unknown[] = [];
      for await (const row of tx.iterate(named("Rome"))) read.push(row);
      expect(read).toEqual([{ id: 1, name: "Rome" }]);
      const error = await rejection(tx.get(sql`DELETE FROM city WHERE id = ${1} RETURNING id`));
      expect(error).toMatchObject({
        code: "SQLITE_READONLY",
        sql: "DELETE FROM city WHERE id = ? RETURNING id",
      });
    });
  });

  it("by a connection and its cursors", async () => {
    expect(await db.executeFetchall(names)).toEqual([["Rome"], ["Oslo"]]);
    expect(await db.get(named("Oslo"))).toEqual([2, "Oslo"]);
    expect(await db.executeInsert(sql`INSERT INTO city (name) VALUES (${"Bern"})`)).toEqual([4]);
    const cursor = await db.execute(names);
    expect(await cursor.fetchall()).toEqual([["Rome"], ["Oslo"]]);
    await cursor.execute(named("Bern"));
    expect(await cursor.fetchone()).toEqual([4, "Bern"]);
    await cursor.executemany(sql`DELETE FROM city WHERE id = ?`, [[4], [3]]);
    expect(cursor.rowcount).toBe(2);
    const read: unknown[] = [];
    for await (const row of db.execute(names)) read.push(row);
    expect(read).toEqual([["Rome"], ["Oslo"]]);
    expect(await db.describe(named("x"))).toMatchObject({ parameters: [null], readonly: true });
    await db.transaction(async (tx) => {
      expect(await tx.executeFetchall(named("Rome"))).toEqual([[1, "Rome"]]);
    });
    await db.executescript(sql`DELETE FROM city`);
    expect(await db.executeFetchall(sql`SELECT count(*) FROM city`)).toEqual([[0]]);
  });

  it.runIf(capabilities.changes)("by watch()", async () => {
    const live = pool.watch(sql`SELECT name FROM city WHERE id = ${2}`);
    expect((await live.next()).value).toEqual([{ name: "Oslo" }]);
    await pool.run(sql`UPDATE city SET name = ${"Bergen"} WHERE id = ${2}`);
    expect((await live.next()).value).toEqual([{ name: "Bergen" }]);
    await live.return();
  });
});

describe("what a { sql, values } object cannot be is refused at once", () => {
  it("one with other parameters beside it", async () => {
    const one = sql`SELECT ${1}`;
    for (const call of [
      () => pool.get(one, [2]),
      () => pool.all(one, []),
      () => pool.run(one, {}),
      () => pool.execute(one, [2]),
      () => pool.iterate(one, [2]).next(),
      () => pool.watch(one, [2]),
      () => pool.transaction((tx) => tx.get(one, [2])),
      () => pool.read((tx) => tx.iterate(one, [2]).next()),
      () => db.execute(one, [2]),
      () => db.executeFetchall(one, [2]),
      () => db.get(one, [2]),
      () => db.run(one, [2]),
    ]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ProgrammingError);
      expect(error).toMatchObject({
        message: "a { sql, values } object has its values: there can be no others beside it",
        sql: "SELECT ?",
      });
    }
  });

  it("one with values where the text alone belongs", async () => {
    const one = sql`INSERT INTO city (name) VALUES (${"x"})`;
    for (const call of [
      () => pool.exec(one),
      () => pool.executemany(one, [["y"]]),
      () => pool.transaction((tx) => tx.exec(one)),
      () => pool.transaction((tx) => tx.executemany(one, [["y"]])),
      () => db.executescript(one),
      () => db.executemany(one, [["y"]]),
    ]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toContain("here goes the text alone");
    }
    expect(await pool.get("SELECT count(*) AS n FROM city")).toEqual({ n: 3 });
  });

  it("one of another shape, as Postgres has it", async () => {
    for (const wrong of [
      { text: "SELECT $1", values: [1] },
      { sql: "SELECT 1" },
      { sql: 1, values: [] },
      { sql: "SELECT 1", values: { 0: 1 } },
      ["SELECT 1"],
      null,
      5,
      () => "SELECT 1",
    ]) {
      for (const call of [
        () => pool.get(wrong as never),
        () => pool.exec(wrong as never),
        () => pool.executemany(wrong as never, []),
        () => db.execute(wrong as never),
        () => db.executescript(wrong as never),
        () => db.describe(wrong as never),
        () => pool.iterate(wrong as never).next(),
        () => pool.watch(wrong as never),
      ]) {
        const error = await rejection(call);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(/^the SQL text must be a string, or an object/);
      }
    }
  });

  it("one whose values do not fit its text", async () => {
    expect(await rejection(pool.get({ sql: "SELECT ?", values: [1, 2] }))).toBeInstanceOf(ProgrammingError);
    expect(await rejection(db.get({ sql: "SELECT ?", values: [Symbol("x")] }))).toBeInstanceOf(
      ProgrammingError,
    );
  });
});

it("values are taken when the call is made, and reach nobody who sees an error", async () => {
  const one = sql`INSERT INTO city (id, name) VALUES (${7}, ${"secret"})`;
  const connection = await pool.acquire();
  const inserting = pool.run(one);
  one.values[1] = "changed";
  await connection.close();
  await inserting;
  expect(await pool.get(sql`SELECT name FROM city WHERE id = ${7}`)).toEqual({ name: "secret" });
  const error = (await rejection(pool.run(one))) as Error;
  expect(error).toMatchObject({ sql: "INSERT INTO city (id, name) VALUES (?, ?)" });
  expect(JSON.stringify(error)).not.toContain("changed");
});
