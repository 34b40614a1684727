import { createRequire } from "node:module";
import { resolve } from "node:path";
import {
  connect,
  type Connection,
  ConnectionClosedError,
  OperationalError,
  ProgrammingError,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { open, rejection } from "../support/database.ts";

const fixture = (name: string): URL => new URL(`../fixtures/${name}`, import.meta.url);
const functions = fixture("functions.mjs");

let db: Connection;

beforeEach(async () => {
  db = await open();
});

const value = async (sql: string, parameters: unknown[] = []): Promise<unknown> =>
  ((await db.executeFetchall(sql, parameters as never)) as [[unknown]])[0][0];

describe("a closure", () => {
  it("sees the variables around it, and runs on the main thread", async () => {
    const seen: string[] = [];
    await db.createFunction("greet", 1, (name: string) => {
      seen.push(name);
      return `hello ${name}`;
    });
    expect(await value("SELECT greet('ada') || ', ' || greet('bo')")).toBe("hello ada, hello bo");
    expect(seen).toEqual(["ada", "bo"]);
  });

  it("can be used by calls that are made before its definition is answered", async () => {
    const defined = db.createFunction("early", 0, () => "in time");
    const used = db.executeFetchall("SELECT early()");
    expect(await used).toEqual([["in time"]]);
    await defined;
  });

  it("runs while frames are in flight, for each row of each call", async () => {
    await db.createFunction("twice", 1, (x: number) => 2 * x);
    const calls = Array.from({ length: 300 }, (_, i) => db.executeFetchall("SELECT twice(?), ?", [i, i]));
    const rows = await Promise.all(calls);
    expect(rows).toEqual(Array.from({ length: 300 }, (_, i) => [[2 * i, i]]));
    await db.executescript("CREATE TABLE t (x)");
    await Promise.all([
      db.executemany(
        "INSERT INTO t VALUES (twice(?))",
        Array.from({ length: 2000 }, (_, i) => [i]),
      ),
      db.executeFetchall("SELECT 1"),
    ]);
    expect(await value("SELECT sum(x) FROM t")).toBe(1999 * 2000);
  });

  it("is given, and gives, every kind of value", async () => {
    const given: unknown[] = [];
    await db.createFunction("pass", 1, (argument: unknown) => {
      given.push(argument);
      return argument;
    });
    const values = [null, 1, -1.5, 2n ** 62n, "text\0ü😀", "", Buffer.from([0, 255]), Buffer.alloc(0)];
    for (const argument of values) {
      expect(await value("SELECT pass(?)", [argument])).toEqual(argument);
    }
    expect(given).toEqual(values);
    expect(Buffer.isBuffer(given[6])).toBe(true);
    const large = Buffer.alloc(1 << 20, 7);
    expect(await value("SELECT pass(?)", [large])).toEqual(large);
  });

  it("keeps INTEGER and REAL apart", async () => {
    await db.createFunction("pass", 1, (argument: unknown) => argument);
    expect(await value("SELECT typeof(pass(1))")).toBe("integer");
    expect(await value("SELECT typeof(pass(1.5))")).toBe("real");
    expect(await value("SELECT typeof(pass(9007199254740993))")).toBe("integer");
    expect(await value("SELECT pass(9007199254740993)")).toBe(9007199254740993n);
  });

  it("gives NULL for undefined and 0 or 1 for a boolean", async () => {
    let result: unknown;
    await db.createFunction("give", 0, () => result);
    for (const [given, expected] of [
      [undefined, null],
      [true, 1],
      [false, 0],
      [new Uint8Array([1, 2, 3]).subarray(1), Buffer.from([2, 3])],
      [new Uint8Array([4]).buffer, Buffer.from([4])],
    ] as const) {
      result = given;
      expect(await value("SELECT give()")).toEqual(expected);
    }
  });

  it("leaves the memory of its result alone", async () => {
    const bytes = Buffer.from([1, 2, 3]);
    await db.createFunction("give", 0, () => bytes);
    expect(await value("SELECT give()")).toEqual(bytes);
    expect(bytes).toHaveLength(3);
  });

  it("that throws makes the statement fail, with that very exception as the cause", async () => {
    const boom = new RangeError("boom");
    await db.createFunction("fail", 1, (what: string) => {
      if (what === "boom") throw boom;
      throw what;
    });
    const error = await rejection(db.executeFetchall("SELECT fail('boom')"));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({
      message: "user-defined function raised exception",
      sql: "SELECT fail('boom')",
    });
    expect((error as Error).cause).toBe(boom);
    const thrown = await rejection(db.executeFetchall("SELECT fail('text')"));
    expect(thrown).toBeInstanceOf(OperationalError);
    expect((thrown as Error).cause).toBe("text");
    expect(await value("SELECT 1")).toBe(1);
  });

  it("that throws undoes its statement and nothing else", async () => {
    await db.executescript("CREATE TABLE t (x)");
    await db.createFunction("picky", 1, (x: number) => {
      if (x === 3) throw new Error("three");
      return x;
    });
    await db.execute("INSERT INTO t VALUES (0)");
    const error = await rejection(
      db.execute("INSERT INTO t SELECT picky(value) FROM json_each('[1,2,3,4]')"),
    );
    expect(error).toMatchObject({ message: "user-defined function raised exception" });
    expect(db.inTransaction).toBe(true);
    await db.commit();
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0]]);
  });

  it("must give a value: not a promise, nor what does not bind", async () => {
    let result: unknown = Promise.resolve(1);
    await db.createFunction("give", 0, () => result);
    let error = await rejection(db.executeFetchall("SELECT give()"));
    expect(error).toMatchObject({
      name: "OperationalError",
      message: "user-defined function raised exception",
    });
    expect((error as Error).cause).toMatchObject({ name: "TypeError" });
    expect(((error as Error).cause as Error).message).toContain("promise");
    await db.createFunction("refuse", 0, () => Promise.reject(new Error("nobody hears this")));
    await rejection(db.executeFetchall("SELECT refuse()"));
    for (const wrong of [{}, Symbol("s"), () => 1, 2n ** 64n]) {
      result = wrong;
      error = await rejection(db.executeFetchall("SELECT give()"));
      expect(error).toMatchObject({
        name: "OperationalError",
        message: "user-defined function raised exception",
      });
      expect((error as Error).cause).toBeInstanceOf(Error);
    }
    expect(await value("SELECT 1")).toBe(1);
  });

  it("can make calls, which run when the statement is over", async () => {
    await db.executescript("CREATE TABLE log (x)");
    const logged: Promise<unknown>[] = [];
    await db.createFunction("log", 1, (x: number) => {
      logged.push(db.execute("INSERT INTO log VALUES (?)", [x]));
      return x;
    });
    await db.executeFetchall("SELECT log(value) FROM json_each('[1,2,3]')");
    await Promise.all(logged);
    expect(await db.executeFetchall("SELECT x FROM log")).toEqual([[1], [2], [3]]);
  });

  it("works for several connections at once", async () => {
    const others = await Promise.all([open(), open(), open()]);
    await Promise.all(others.map((other, i) => other.createFunction("me", 1, (x: number) => x * 10 + i)));
    const results = await Promise.all(
      others.map((other) =>
        other.executeFetchall(
          "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT sum(me(i)) FROM n",
        ),
      ),
    );
    expect(results).toEqual([[[50_500]], [[50_600]], [[50_700]]]);
  });
});

describe("a definition", () => {
  it("with -1 parameters takes any number of them, with n exactly n", async () => {
    await db.createFunction("many", -1, (...values: unknown[]) => values.length);
    expect(await db.executeFetchall("SELECT many(), many(1), many(1, 2, 3)")).toEqual([[0, 1, 3]]);
    await db.createFunction("two", 2, (a: number, b: number) => a - b);
    expect(await value("SELECT two(5, 3)")).toBe(2);
    const error = await rejection(db.executeFetchall("SELECT two(1)"));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toBe("wrong number of arguments to function two()");
  });

  it("can differ by the number of parameters, and be replaced", async () => {
    await db.createFunction("f", 0, () => "none");
    await db.createFunction("f", 1, () => "one");
    expect(await db.executeFetchall("SELECT f(), f(1)")).toEqual([["none", "one"]]);
    await db.createFunction("F", 1, () => "another");
    expect(await db.executeFetchall("SELECT f(), f(1)")).toEqual([["none", "another"]]);
    await db.createFunction("f", 1, functions, { export: "slug" });
    expect(await db.executeFetchall("SELECT f('A B')")).toEqual([["a-b"]]);
  });

  it("replaced while a statement that uses it is kept prepared is used at once", async () => {
    let sum = 0;
    for (let i = 0; i < 20; i++) {
      await db.createFunction("g", 0, () => i);
      sum += (await value("SELECT g()")) as number;
    }
    expect(sum).toBe(190);
  });

  it("that is deterministic can be used in an index, others cannot", async () => {
    // The engine trusts no schema by default: what a schema may call must be trusted first.
    db = await open(":memory:", { pragmas: { trusted_schema: true } });
    await db.executescript("CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('b'), ('A')");
    let calls = 0;
    await db.createFunction("fold", 1, (x: string) => (calls++, x.toLowerCase()), { deterministic: true });
    await db.createFunction("wild", 1, (x: string) => x);
    await db.execute("CREATE INDEX folded ON t (fold(x))");
    expect(calls).toBe(2);
    expect(await db.executeFetchall("SELECT x FROM t WHERE fold(x) = 'a'")).toEqual([["A"]]);
    expect(await db.executeFetchall("EXPLAIN QUERY PLAN SELECT x FROM t WHERE fold(x) = 'a'")).toEqual([
      [expect.anything(), expect.anything(), expect.anything(), "SEARCH t USING INDEX folded (<expr>=?)"],
    ]);
    const error = await rejection(db.execute("CREATE INDEX wilder ON t (wild(x))"));
    expect((error as Error).message).toBe("non-deterministic functions prohibited in index expressions");
  });

  it("that is directOnly is refused to a view and a trigger, also of a trusted schema", async () => {
    db = await open(":memory:", { pragmas: { trusted_schema: true } });
    await db.createFunction("direct", 0, () => 1, { directOnly: true });
    await db.createFunction("anywhere", 0, () => 2);
    await db.executescript(`
      CREATE TABLE t (x);
      CREATE VIEW bad AS SELECT direct();
      CREATE VIEW good AS SELECT anywhere();
      CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT direct(); END;
    `);
    expect(await value("SELECT direct()")).toBe(1);
    expect(await value("SELECT * FROM good")).toBe(2);
    expect(await rejection(db.executeFetchall("SELECT * FROM bad"))).toMatchObject({
      name: "OperationalError",
      message: "unsafe use of direct()",
    });
    expect(await rejection(db.execute("INSERT INTO t VALUES (1)"))).toMatchObject({
      message: "unsafe use of direct()",
    });
  });

  it("is not for the schema unless that is trusted", async () => {
    await db.createFunction("f", 0, () => 1);
    await db.executescript("CREATE VIEW v AS SELECT f()");
    expect(await rejection(db.executeFetchall("SELECT * FROM v"))).toMatchObject({
      message: "unsafe use of f()",
    });
  });

  it("is created beside a cursor that is half read, whose rows go on", async () => {
    const numbers =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT i FROM n";
    const cursor = await db.execute(numbers);
    const failing = await db.execute(
      `SELECT CASE i WHEN 3000 THEN abs(-9223372036854775808) ELSE i END FROM (${numbers})`,
    );
    expect([await cursor.fetchone(), await failing.fetchone()]).toEqual([[1], [1]]);
    await db.createFunction("f", 0, () => 1);
    expect(await value("SELECT f()")).toBe(1);
    const rest = Array.from({ length: 4999 }, (_, i) => [i + 2]);
    expect(await cursor.fetchall()).toEqual(rest);
    expect(await failing.fetchmany(2998)).toEqual(rest.slice(0, 2998));
    expect(await rejection(failing.fetchone())).toMatchObject({ message: "integer overflow" });
  });

  it("is refused beside a cursor with more rows left than are kept in memory, and the cursor goes on", async () => {
    const cursor = await db.execute(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, zeroblob(100000) FROM n",
    );
    expect((await cursor.fetchone())?.[0]).toBe(1);
    expect(await rejection(db.createFunction("f", 0, () => 1))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_BUSY",
      message:
        "a function cannot be created while a cursor is half read that has more than 16 MB of rows left",
    });
    const rows = await cursor.fetchmany(500);
    expect(rows.map(([i]) => i)).toEqual(Array.from({ length: 500 }, (_, i) => i + 2));
    await cursor.close();
    await db.createFunction("f", 0, () => 1);
    expect(await value("SELECT f()")).toBe(1);
  });

  it("must make sense", async () => {
    const wrong: [unknown[], typeof Error][] = [
      [["", 0, () => 1], TypeError],
      [[5, 0, () => 1], TypeError],
      [["a\0b", 0, () => 1], TypeError],
      [["f", -2, () => 1], RangeError],
      [["f", 101, () => 1], RangeError],
      [["f", 1.5, () => 1], TypeError],
      [["f", "1", () => 1], TypeError],
      [["f", 0, "code"], TypeError],
      [["f", 0, undefined], TypeError],
      [["f", 0, () => 1, { innocuous: 1 }], TypeError],
      [["f", 0, () => 1, { deterministic: 1 }], TypeError],
      [["f", 0, () => 1, { directOnly: "yes" }], TypeError],
      [["f", 0, () => 1, null], TypeError],
      [["f", 0, functions, { export: 5 }], TypeError],
    ];
    for (const [args, type] of wrong) {
      const error = await rejection(() =>
        db.createFunction(...(args as Parameters<typeof db.createFunction>)),
      );
      expect(error, JSON.stringify(args)).toBeInstanceOf(type);
    }
    expect(await rejection(db.executeFetchall("SELECT f()"))).toMatchObject({
      message: "no such function: f",
    });
  });

  it("inside a transaction works there and after it", async () => {
    await db.transaction(async (tx) => {
      await tx.createFunction("inner_one", 0, () => 5);
      expect(await tx.executeFetchall("SELECT inner_one()")).toEqual([[5]]);
    });
    expect(await value("SELECT inner_one()")).toBe(5);
  });

  it("waits for its turn behind a transaction", async () => {
    const transaction = db.transaction(async (tx) => {
      await tx.execute("SELECT 1");
      expect(await rejection(tx.executeFetchall("SELECT waiting()"))).toMatchObject({
        message: "no such function: waiting",
      });
    });
    const defined = db.createFunction("waiting", 0, () => 6);
    await transaction;
    await defined;
    expect(await value("SELECT waiting()")).toBe(6);
  });
});

describe("a module's function", () => {
  it("runs in the thread", async () => {
    await db.createFunction("slug", 1, functions, { export: "slug" });
    await db.createFunction("place", 0, functions, { export: "where" });
    await db.createFunction("shout", 1, functions);
    expect(await value("SELECT slug('A b C')")).toBe("a-b-c");
    expect(await value("SELECT place()")).toBeGreaterThan(0);
    expect(await value("SELECT shout('hey')")).toBe("HEY!");
  });

  it("can be used by calls that are made before it is loaded", async () => {
    const defined = db.createFunction("slug", 1, functions, { export: "slug" });
    expect(await db.executeFetchall("SELECT slug('X Y')")).toEqual([["x-y"]]);
    await defined;
  });

  it("is given, and gives, the same values as a closure", async () => {
    await db.createFunction("echo", 1, functions, { export: "echo" });
    await db.createFunction("number_of", -1, functions, { export: "count" });
    await db.createFunction("kind", 1, functions, { export: "kind" });
    await db.createFunction("give", 1, functions, { export: "give" });
    const values = [null, 1, -1.5, 2n ** 62n, "text ü", "", Buffer.from([0, 255]), Buffer.alloc(0)];
    for (const argument of values) expect(await value("SELECT echo(?)", [argument])).toEqual(argument);
    expect(await value("SELECT typeof(echo(1))")).toBe("integer");
    expect(await value("SELECT number_of(1, 2, 3)")).toBe(3);
    expect(
      await db.executeFetchall("SELECT kind(1), kind(9007199254740993), kind(x'01'), kind(NULL)"),
    ).toEqual([["number", "bigint", "Uint8Array", "object"]]);
    expect(
      await db.executeFetchall(
        "SELECT give('nothing'), give('yes'), give('no'), give('bytes'), give('text')",
      ),
    ).toEqual([[null, 1, 0, Buffer.from([1, 2]), "t"]]);
  });

  it("that throws makes the statement fail, with its error as the cause", async () => {
    await db.createFunction("fail", 0, functions, { export: "fail" });
    const error = await rejection(db.executeFetchall("SELECT fail()"));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ message: "user-defined function raised exception", sql: "SELECT fail()" });
    const { cause } = error as { cause: Error };
    expect(cause).toMatchObject({ name: "RangeError", message: "out of the module" });
    expect(cause.stack).toContain("functions.mjs");
  });

  it("may throw what is no error, or has no stack", async () => {
    await db.createFunction("fail", 1, functions, { export: "failOddly" });
    const text = await rejection(db.executeFetchall("SELECT fail('text')"));
    expect((text as Error).cause).toMatchObject({ message: "not an error" });
    const error = await rejection(db.executeFetchall("SELECT fail('error')"));
    expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "without a stack" });
  });

  it("must give a value that binds", async () => {
    await db.createFunction("later", 0, functions, { export: "later" });
    await db.createFunction("give", 1, functions, { export: "give" });
    await db.createFunction("refuse", 0, functions, { export: "refuse" });
    for (const sql of ["SELECT later()", "SELECT refuse()", "SELECT give('object')", "SELECT give('huge')"]) {
      const error = await rejection(db.executeFetchall(sql));
      expect(error, sql).toMatchObject({
        name: "OperationalError",
        message: "user-defined function raised exception",
      });
      expect((error as Error).cause, sql).toMatchObject({
        name: expect.stringMatching(/^(Type|Range)Error$/),
      });
    }
    expect(await value("SELECT 1")).toBe(1);
  });

  it("that cannot be loaded rejects with the reason as the cause", async () => {
    const cases: [URL, string, string][] = [
      [fixture("missing.mjs"), "default", "missing.mjs"],
      [new URL("data:text/javascript,export const = 1"), "default", "Unexpected token"],
      [fixture("throws-when-loaded.mjs"), "default", "refuses to load"],
      [functions, "absent", 'has no function "absent"'],
      [functions, "number", 'has no function "number"'],
    ];
    for (const [module, name, text] of cases) {
      const error = await rejection(db.createFunction("f", 0, module, { export: name }));
      expect(error, text).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toContain(text);
      expect((error as Error).cause).toBeInstanceOf(Error);
    }
    expect(await rejection(db.executeFetchall("SELECT f()"))).toMatchObject({
      message: "no such function: f",
    });
  });
});

describe("the setup module", () => {
  it("is run in the thread with the raw handle before anything else", async () => {
    const prepared = await open(":memory:", { setup: fixture("setup.mjs") });
    expect(await prepared.executeFetchall("SELECT from_setup(), answer FROM prepared")).toEqual([
      ["set up", 42],
    ]);
  });

  it("does not come back with what was replaced or removed since, when the contents are replaced", async () => {
    const setup = new URL(
      "data:text/javascript,export default (db) => { db.function('f', () => 1); db.function('g', () => 1); }",
    );
    const target = await open(":memory:", { setup });
    await target.createFunction("f", 0, () => 2);
    await target.createFunction("g", 0, null);
    await db.backup(target);
    expect(await target.executeFetchall("SELECT f()")).toEqual([[2]]);
    expect(await rejection(target.executeFetchall("SELECT g()"))).toMatchObject({
      message: "no such function: g",
    });
    await target.deserialize(await db.serialize());
    expect(await target.executeFetchall("SELECT f()")).toEqual([[2]]);
  });

  it("that fails keeps the connection from opening, with the reason as the cause", async () => {
    const error = await rejection(connect(":memory:", { setup: fixture("setup-fails.mjs") }));
    expect(error).toMatchObject({ message: "not today" });
    expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "not today" });
    expect(
      (await rejection(connect(":memory:", { setup: fixture("no-default.mjs") }))) as Error,
    ).toMatchObject({
      message: expect.stringContaining("has no default export to call"),
    });
    expect((await rejection(connect(":memory:", { setup: fixture("missing.mjs") }))) as Error).toMatchObject({
      message: expect.stringContaining("missing.mjs"),
    });
    const throwsText = new URL("data:text/javascript,export default () => { throw 'not an error' }");
    expect(await rejection(connect(":memory:", { setup: throwsText }))).toMatchObject({
      message: "not an error",
    });
    const throwsBare = new URL(
      "data:text/javascript,export default () => { throw Object.assign(new Error('bare'), { stack: undefined }) }",
    );
    expect(await rejection(connect(":memory:", { setup: throwsBare }))).toMatchObject({ message: "bare" });
  });

  it("that fails when a backup replaces what was in memory leaves the connection without a database", async () => {
    const setup = fixture("setup-once.mjs");
    const [source, target] = [await open(), await open(":memory:", { setup })];
    const error = await rejection(source.backup(target));
    expect(error).toMatchObject({ message: "once is enough" });
    expect(await rejection(target.execute("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });
});

describe("an extension", () => {
  it("is loaded by its path and its entry point, when it opens or later", async () => {
    const require = createRequire(new URL("../../../worker/package.json", import.meta.url));
    const { path } = require("@sqlite-aio/native") as { path: string };
    const wrong = { path, entryPoint: "no_such_entry" };
    expect(await rejection(connect(":memory:", { extensions: [wrong] }))).toMatchObject({
      message: expect.stringContaining("no_such_entry"),
    });
    const entryPoint = "sqlite3_extension_init";
    const opened = await open(":memory:", { extensions: [{ path, entryPoint }, { path }] });
    expect(await opened.executeFetchall("SELECT 1")).toEqual([[1]]);
    await opened.enableLoadExtension(true);
    await opened.loadExtension(path, entryPoint);
    await opened.loadExtension(path);
    expect(await rejection(opened.loadExtension(path, "no_such_entry"))).toMatchObject({
      message: expect.stringContaining("no_such_entry"),
    });
  });

  it("is not loaded unless that is enabled", async () => {
    const refused = await rejection(db.loadExtension("/nowhere/extension"));
    expect(refused).toBeInstanceOf(OperationalError);
    expect(refused).toMatchObject({ message: "not authorized" });
    await db.enableLoadExtension(true);
    const missing = await rejection(db.loadExtension("/nowhere/extension"));
    expect(missing).toBeInstanceOf(OperationalError);
    expect((missing as Error).message).toContain(resolve("/nowhere/extension"));
    await db.enableLoadExtension(false);
    expect(await rejection(db.loadExtension("/nowhere/extension", "entry"))).toMatchObject({
      message: "not authorized",
    });
    expect(await rejection(db.loadExtension(5 as never))).toBeInstanceOf(TypeError);
  });

  it("cannot be loaded by SQL", async () => {
    await db.enableLoadExtension(true);
    const error = await rejection(db.executeFetchall("SELECT load_extension('/nowhere/extension')"));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toMatch(/not authorized|no such function/);
  });

  it("that is asked for on opening and is not there keeps the connection from opening", async () => {
    const error = await rejection(connect(":memory:", { extensions: [{ path: "/nowhere/extension" }] }));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toContain(resolve("/nowhere/extension"));
  });
});
