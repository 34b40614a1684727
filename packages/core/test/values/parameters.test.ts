import { type Connection, OperationalError, ProgrammingError, Row } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";

/** The error. The call did not reach the thread: no transaction was opened for the INSERT. */
async function refusal(db: Connection, sql: string, parameters: unknown): Promise<Error> {
  const error = await rejection(db.executeFetchall(sql, parameters as never));
  expect(db.inTransaction).toBe(false);
  return error as Error;
}

async function table(): Promise<Connection> {
  const db = await open();
  await db.execute("CREATE TABLE t (a, b)");
  return db;
}

describe("an array", () => {
  it("fills ? from left to right", async () => {
    const db = await open();
    expect(await db.executeFetchall("SELECT ?, ?, ?", [1, "two", null])).toEqual([[1, "two", null]]);
  });

  it("fills ?NNN by number, and a ? after it counts on", async () => {
    const db = await open();
    expect(await db.executeFetchall("SELECT ?2, ?1, ?2", ["a", "b"])).toEqual([["b", "a", "b"]]);
    expect(await db.executeFetchall("SELECT ?3, ?, ?1", [5, 6, 7, 8])).toEqual([[7, 8, 5]]);
    expect(await db.executeFetchall("SELECT ?5", [1, 2, 3, 4, 5])).toEqual([[5]]);
  });

  it("fills names in the order of their first appearance", async () => {
    const db = await open();
    expect(await db.executeFetchall("SELECT :a, @b, $c, :a", [1, 2, 3])).toEqual([[1, 2, 3, 1]]);
  });

  it("may be any other iterable object, but no string", async () => {
    const db = await open();
    expect(await db.executeFetchall("SELECT ?, ?", new Set([1, 2]) as never)).toEqual([[1, 2]]);
    expect(await refusal(db, "SELECT ?", "x")).toBeInstanceOf(ProgrammingError);
    expect(await refusal(db, "SELECT ?", 5)).toBeInstanceOf(ProgrammingError);
    expect(await refusal(db, "SELECT ?", Buffer.from("x"))).toBeInstanceOf(ProgrammingError);
  });

  it.each([
    ["SELECT ?", [], 1, 0],
    ["SELECT ?", undefined, 1, 0],
    ["SELECT ?", [1, 2], 1, 2],
    ["SELECT ?, ?", [1], 2, 1],
    ["SELECT 1", [1], 0, 1],
    ["SELECT ?3", [1, 2], 3, 2],
    ["SELECT :a, :b", [1], 2, 1],
    ["INSERT INTO t VALUES (?, ?)", [1], 2, 1],
    [`SELECT '?', "?", [?], \`?\` -- ?`, [1], 0, 1],
  ])(
    "of the wrong length is a ProgrammingError at once: %s with %j",
    async (sql, parameters, uses, supplied) => {
      const db = await table();
      const error = await refusal(db, sql, parameters);
      expect(error).toBeInstanceOf(ProgrammingError);
      expect(error.message).toBe(
        `Incorrect number of bindings supplied. The current statement uses ${uses}, and there are ${supplied} supplied.`,
      );
    },
  );
});

describe("an object", () => {
  it("fills :name, @name and $name, by the name with or without its prefix", async () => {
    const db = await open();
    const sql = "SELECT :a, @b, $c, :a";
    expect(await db.executeFetchall(sql, { a: 1, b: 2, c: 3 })).toEqual([[1, 2, 3, 1]]);
    expect(await db.executeFetchall(sql, { ":a": 1, "@b": 2, $c: 3 })).toEqual([[1, 2, 3, 1]]);
  });

  it("fills names that are properties of every object, and no others that it only inherits", async () => {
    const db = await open();
    db.rowFactory = Row;
    const parameters = Object.create({ inherited: 1 });
    parameters.constructor = 2;
    parameters.toString = 3;
    Object.defineProperty(parameters, "__proto__", { value: 4, enumerable: true });
    const sql = "SELECT :constructor AS c, :toString AS t, :__proto__ AS p";
    expect(await db.executeFetchall(sql, parameters)).toEqual([{ c: 2, t: 3, p: 4 }]);
    for (const name of [":inherited", ":hasOwnProperty"]) {
      const error = await refusal(db, `SELECT ${name}`, Object.create({ inherited: 1 }));
      expect(error.message).toBe(`You did not supply a value for binding parameter ${name}.`);
    }
  });

  it("may have no prototype, and names of any letters", async () => {
    const db = await open();
    const parameters = Object.assign(Object.create(null), { größe: 1, 日本: 2 });
    expect(await db.executeFetchall("SELECT :größe, $日本", parameters)).toEqual([[1, 2]]);
  });

  it.each([
    ["SELECT :a, :b", { a: 1 }, "You did not supply a value for binding parameter :b."],
    ["SELECT @a", {}, "You did not supply a value for binding parameter @a."],
    ["SELECT :a", { a: 1, b: 2 }, 'There is no binding parameter for the value "b".'],
    ["SELECT :a", { a: 1, A: 2 }, 'There is no binding parameter for the value "A".'],
    ["SELECT 1", { a: 1 }, 'There is no binding parameter for the value "a".'],
    ["SELECT ?", { a: 1 }, "Binding 1 has no name, but you supplied an object (which has only names)."],
    ["SELECT :a, ?", { a: 1 }, "Binding 2 has no name, but you supplied an object (which has only names)."],
    ["INSERT INTO t VALUES (:a, :b)", { a: 1 }, "You did not supply a value for binding parameter :b."],
  ])("that does not fit is a ProgrammingError at once: %s with %j", async (sql, parameters, message) => {
    const db = await table();
    const error = await refusal(db, sql, parameters);
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(error.message).toBe(message);
  });

  it("gives :a and @a of one statement the same value, and an array cannot give them two", async () => {
    const db = await open();
    expect(await db.executeFetchall("SELECT :a, @a", { a: 1 })).toEqual([[1, 1]]);
    expect(await db.executeFetchall("SELECT :a, @a", [1, 1])).toEqual([[1, 1]]);
    expect(await refusal(db, "SELECT :a, @a", [1, 2])).toBeInstanceOf(ProgrammingError);
  });
});

describe("a value of a type that has no SQL form", () => {
  it.each([
    [() => 1, "function"],
    [Symbol("s"), "symbol"],
    [{ a: 1 }, "Object"],
    [[1], "Array"],
    [new Map(), "Map"],
    [Promise.resolve(1), "Promise"],
    [Object.create(null), "object"],
    [new URL("https://example.com"), "URL"],
    [new WeakMap(), "WeakMap"],
  ])("is a ProgrammingError that names the parameter and the type: %#", async (value, type) => {
    const db = await table();
    const sql = "INSERT INTO t VALUES (?, ?)";
    const error = await refusal(db, sql, [1, value]);
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(error.message).toBe(`Error binding parameter 2: type '${type}' is not supported`);
    const named = await refusal(db, "INSERT INTO t VALUES (:x, :y)", { x: value, y: 1 });
    expect(named.message).toBe(`Error binding parameter :x: type '${type}' is not supported`);
    const many = await rejection(db.executemany(sql, [[1, value]] as never));
    expect(many).toBeInstanceOf(ProgrammingError);
    expect((many as ProgrammingError).parameterSet).toBe(0);
    // The connection, and what comes after on it, is unharmed.
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[0]]);
  });

  it("does not disturb calls of the same tick", async () => {
    const db = await table();
    const settled = await Promise.allSettled([
      db.execute("INSERT INTO t VALUES (?, 1)", [1]),
      db.execute("INSERT INTO t VALUES (?, 1)", [() => 2] as never),
      db.execute("INSERT INTO t VALUES (?, 1)", [3]),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1], [3]]);
  });

  it("may throw from a getter, which rejects the call", async () => {
    const db = await table();
    const parameters = {
      get a(): number {
        throw new Error("from the getter");
      },
    };
    expect(await refusal(db, "INSERT INTO t VALUES (:a, 1)", parameters)).toEqual(
      new Error("from the getter"),
    );
  });
});

describe("the SQL text", () => {
  it("may not hold a NUL, which would cut off its tail in silence", async () => {
    const db = await table();
    for (const call of [
      () => db.execute("SELECT 1\0; DROP TABLE t"),
      () => db.executeFetchall("DELETE FROM t \0WHERE a = 1"),
      () => db.executemany("INSERT INTO t VALUES (1, 2)\0", [[]]),
      () => db.executescript("SELECT 1;\0 SELECT 2"),
      () => db.executeInsert("\0INSERT INTO t VALUES (1, 2)"),
    ]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toBe("the query contains a null character");
    }
  });

  it("must be a string of whole characters", async () => {
    const db = await open();
    expect(await rejection(db.execute(5 as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.execute(undefined as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.execute("SELECT '\ud800'"))).toBeInstanceOf(ProgrammingError);
  });

  it("that is wrong gives SQLite's message, also beside right ones", async () => {
    const db = await open();
    const settled = await Promise.allSettled([
      db.executeFetchall("SELECT 1"),
      db.executeFetchall("SELEC 1"),
      db.executeFetchall("SELECT nope"),
      db.executeFetchall("SELECT 2"),
    ]);
    const reasons = settled.map((result) => (result.status === "rejected" ? result.reason : result.value));
    expect(reasons[0]).toEqual([[1]]);
    expect(reasons[1]).toBeInstanceOf(OperationalError);
    expect(reasons[1].message).toBe('near "SELEC": syntax error');
    expect(reasons[2].message).toBe("no such column: nope");
    expect(reasons[3]).toEqual([[2]]);
  });

  it("with ?0 or a number that is too high is the engine's error, whatever was supplied", async () => {
    const db = await open();
    for (const number of ["?0", "?32767", "?99999999999"]) {
      const error = await rejection(db.executeFetchall(`SELECT ${number}`, []));
      expect(error).toBeInstanceOf(OperationalError);
      expect((error as Error).message).toBe("variable number must be between ?1 and ?32766");
    }
  });
});
