import { describe, expect, it } from "vitest";
import { called, event, failed, open, type Row, sqlite3, type Sqlite3Error } from "./support.ts";

const table =
  "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('one'), ('two'), ('three')";

describe("prepare()", () => {
  it("calls back with the statement as `this`, which knows its text", async () => {
    await using db = await open();
    const self = await new Promise((resolve) => {
      db.prepare("SELECT 1", function (this: unknown) {
        resolve(this);
      });
    });
    expect(self).toBeInstanceOf(sqlite3.Statement);
    expect(self).toHaveProperty("sql", "SELECT 1");
    (self as { finalize(): void }).finalize();
  });

  it("takes the first statement of a text, and ignores the rest", async () => {
    await using db = await open();
    const statement = db.prepare("; SELECT ';' AS a; SELECT 2 AS b");
    expect(await called((callback) => statement.all(callback))).toEqual([{ a: ";" }]);
    expect(await called((callback) => db.get("SELECT 1 AS a; this is no SQL", callback))).toEqual({ a: 1 });
    statement.finalize();
  });

  it("fails once; nothing that is called on the statement is answered or done", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    let answered = false;
    const error = await failed((callback) => {
      const statement = db.prepare("DELETE FROM nowhere", callback);
      statement.run(() => (answered = true));
      db.run("CREATE TABLE nowhere (a)");
      db.run("INSERT INTO nowhere VALUES (1)");
      statement.run();
    });
    expect(error).toEqual({
      message: "SQLITE_ERROR: no such table: nowhere",
      errno: 1,
      code: "SQLITE_ERROR",
    });
    await called((callback) => db.wait(callback));
    expect(answered).toBe(false);
    expect(await called((callback) => db.get("SELECT count(*) AS n FROM nowhere", callback))).toEqual({
      n: 1,
    });
  });

  it("emits the error of a statement that has no callback", async () => {
    await using db = await open();
    const [error] = await event(db.prepare("SELEKT"), "error");
    expect(error).toMatchObject({ message: 'SQLITE_ERROR: near "SELEKT": syntax error' });
  });

  it("binds values that it is given", async () => {
    await using db = await open();
    const statement = db.prepare("SELECT ? AS a, ? AS b", 1, "x");
    expect(await called((callback) => statement.get(callback))).toEqual({ a: 1, b: "x" });
    statement.finalize();
  });
});

describe("get() of a statement", () => {
  it("gives one row after the other, nothing at the end, and starts anew with values or reset()", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    const statement = db.prepare("SELECT a FROM t WHERE id >= ? ORDER BY id", 2);
    const next = (...values: number[]): Promise<Row | undefined> =>
      called((callback) => statement.get(...values, callback));
    expect([await next(), await next(), await next(), await next()]).toEqual([
      { a: "two" },
      { a: "three" },
      undefined,
      undefined,
    ]);
    expect([await next(1), await next()]).toEqual([{ a: "one" }, { a: "two" }]);
    await called((callback) => statement.reset(callback));
    expect(await next()).toEqual({ a: "one" });
    statement.finalize();
  });

  it("goes on behind the row that run() has stepped to, and is over behind all()", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    const statement = db.prepare("SELECT a FROM t ORDER BY id");
    await called((callback) => statement.run(callback));
    expect(await called((callback) => statement.get(callback))).toEqual({ a: "two" });
    expect(await called<Row[]>((callback) => statement.all(callback))).toHaveLength(3);
    expect(await called((callback) => statement.get(callback))).toBeUndefined();
    statement.finalize();
  });

  it("starts over after a step that failed", async () => {
    await using db = await open();
    const fails = "abs(-9223372036854775807 - 1)";
    const statement = db.prepare(
      `SELECT CASE a WHEN 2 THEN ${fails} ELSE a END AS a FROM (SELECT 1 AS a UNION ALL SELECT 2)`,
    );
    const overflow = { message: "SQLITE_ERROR: integer overflow" };
    const get = (): Promise<unknown> => called((callback) => statement.get(callback));
    for (let round = 0; round < 2; round++) {
      expect(await get()).toEqual({ a: 1 });
      expect(await failed((callback) => statement.get(callback))).toMatchObject(overflow);
    }
    expect(await failed((callback) => statement.all(callback))).toMatchObject(overflow);
    expect(await get()).toEqual({ a: 1 });
    const wrong = { message: "SQLITE_RANGE: column index out of range" };
    expect(await failed((callback) => statement.run("surplus", callback))).toMatchObject(wrong);
    expect(await get()).toEqual({ a: 1 });
    statement.finalize();
    const rollback = db.prepare("ROLLBACK");
    const idle = { message: "SQLITE_ERROR: cannot rollback - no transaction is active" };
    expect(await failed((callback) => rollback.run(callback))).toMatchObject(idle);
    expect(await failed((callback) => rollback.get(callback))).toMatchObject(idle);
    expect(await failed((callback) => rollback.get(callback))).toMatchObject(idle);
    rollback.finalize();
  });

  it("answers many calls that were made at once in their order", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    const statement = db.prepare("SELECT a FROM t WHERE id <= ? ORDER BY id DESC");
    const rows = await Promise.all(
      [3, 1, 2, 0].map((id) => called((callback) => statement.get(id, callback))),
    );
    expect(rows).toEqual([{ a: "three" }, { a: "one" }, { a: "two" }, undefined]);
    expect(await called((callback) => statement.get(callback))).toBeUndefined();
    statement.finalize();
  });

  it("holds no lock once its statement is reset or finalized", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    const statement = db.prepare("SELECT a FROM t");
    await called((callback) => statement.get(callback));
    statement.finalize();
    await called((callback) => db.run("DROP TABLE t", callback));
    expect(await called((callback) => db.all("SELECT * FROM sqlite_schema", callback))).toEqual([]);
  });
});

describe("run()", () => {
  it("sets lastID and changes of what `this` is, also where nothing was changed", async () => {
    await using db = await open();
    const run = (sql: string): Promise<unknown[]> =>
      new Promise((resolve, reject) => {
        db.run(sql, function (this: { lastID: number; changes: number }, error: Error | null) {
          if (error === null) resolve([this.lastID, this.changes]);
          else reject(error);
        });
      });
    expect(await run("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")).toEqual([0, 0]);
    expect(await run("INSERT INTO t (a) VALUES (1), (2), (3)")).toEqual([3, 3]);
    expect(await run("UPDATE t SET a = 4 WHERE id < 3")).toEqual([3, 2]);
    // As in sqlite3_changes(): the count of the last INSERT, UPDATE or DELETE.
    expect(await run("SELECT 1")).toEqual([3, 2]);
    expect(await run("CREATE TABLE u (a)")).toEqual([3, 2]);
    expect(await run("DELETE FROM t WHERE id > 99")).toEqual([3, 0]);
    await called((callback) => db.exec("INSERT INTO t (a) VALUES (5), (6)", callback));
    expect(await run("SELECT 1")).toEqual([5, 2]);
    expect(await run("INSERT INTO t (a) VALUES (7) RETURNING id")).toEqual([6, 1]);
    expect(await run("WITH x AS (SELECT 8) INSERT INTO t (a) SELECT * FROM x")).toEqual([7, 1]);
  });

  it("sets changes to what a failed statement has changed and kept, as sqlite3_changes() has it", async () => {
    await using db = await open();
    const script = "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE); INSERT INTO t (a) VALUES (1), (2)";
    await called((callback) => db.exec(script, callback));
    type Self = { lastID: number; changes: number };
    const answer = (resolve: (value: unknown) => void) =>
      function (this: Self, error: Error | null): void {
        resolve(error === null ? [this.lastID, this.changes] : (error as Sqlite3Error).code);
      };
    const run = (sql: string): Promise<unknown> =>
      new Promise((resolve) => void db.run(sql, answer(resolve)));
    // The numbers of the npm package.
    expect(await run("INSERT INTO t (a) VALUES (3), (4), (5)")).toEqual([5, 3]);
    expect(await run("INSERT INTO t (a) VALUES (9), (1)")).toBe("SQLITE_CONSTRAINT");
    expect(await run("SELECT 1")).toEqual([6, 0]);
    expect(await run("CREATE TABLE x (a)")).toEqual([6, 0]);
    expect(await run("UPDATE t SET a = a + 10")).toEqual([6, 5]);
    expect(await run("INSERT OR FAIL INTO t (a) VALUES (100), (101), (11)")).toBe("SQLITE_CONSTRAINT");
    expect(await run("SELECT 1")).toEqual([7, 2]);
    expect(await run("INSERT INTO nowhere VALUES (1)")).toBe("SQLITE_ERROR");
    expect(await run("SELECT 1")).toEqual([7, 2]);
    expect(await run("UPDATE t SET a = 5 RETURNING id")).toBe("SQLITE_CONSTRAINT");
    expect(await run("SELECT 1")).toEqual([7, 0]);
    const statement = db.prepare("INSERT INTO t (a) VALUES (?)");
    const insert = (a: number): Promise<unknown> =>
      new Promise((resolve) => void statement.run(a, answer(resolve)));
    expect(await insert(1000)).toEqual([8, 1]);
    expect(await insert(1000)).toBe("SQLITE_CONSTRAINT");
    expect(await run("SELECT 1")).toEqual([8, 0]);
    await called((callback) => statement.finalize(callback as () => void));
    // Without waiting for each other.
    db.serialize();
    const texts = [
      "DELETE FROM t WHERE id < 3",
      "SELECT 1",
      "INSERT INTO t (a) VALUES (777), (13)",
      "SELECT 2",
    ];
    expect(await Promise.all(texts.map(run))).toEqual([[8, 2], [8, 2], "SQLITE_CONSTRAINT", [9, 0]]);
  });

  it("of a statement that gives rows makes its first step", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    const statement = db.prepare("DELETE FROM t RETURNING id");
    const self = await new Promise((resolve) => {
      statement.run(function (this: unknown) {
        resolve(this);
      });
    });
    expect(self).toMatchObject({ changes: 3 });
    statement.finalize();
    expect(await called((callback) => db.all("SELECT * FROM t", callback))).toEqual([]);
  });

  it("fails for a text of nothing but comments", async () => {
    await using db = await open();
    const error = await failed((callback) => db.run("-- nothing", callback));
    expect(error).toEqual({ message: "SQLITE_MISUSE: not an error", errno: 21, code: "SQLITE_MISUSE" });
    await called((callback) => db.exec("-- nothing", callback));
  });

  it("says which constraint it was, by the primary code, with the extended one in the cause", async () => {
    await using db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)", callback));
    const error = await new Promise<Error | null>(
      (resolve) => void db.run("INSERT INTO t VALUES (1)", resolve),
    );
    expect(error).toMatchObject({
      message: "SQLITE_CONSTRAINT: UNIQUE constraint failed: t.a",
      errno: sqlite3.CONSTRAINT,
      code: "SQLITE_CONSTRAINT",
      cause: { code: "SQLITE_CONSTRAINT_UNIQUE" },
    });
  });
});

describe("all()", () => {
  it("gives plain objects, of which the last of equal names wins", async () => {
    await using db = await open();
    const rows = await called<Row[]>((callback) =>
      db.all(
        "SELECT 1 AS a, 2.5 AS b, 'x' AS c, x'00ff' AS d, NULL AS e, 9 AS a, 9007199254740993 AS f",
        callback,
      ),
    );
    expect(rows).toEqual([{ a: 9, b: 2.5, c: "x", d: Buffer.from([0, 255]), e: null, f: 9007199254740992 }]);
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype);
    expect(Buffer.isBuffer(rows[0]?.["d"])).toBe(true);
  });

  it("gives an empty array where there are no rows", async () => {
    await using db = await open();
    expect(await called((callback) => db.all("SELECT 1 WHERE 0", callback))).toEqual([]);
    expect(await called((callback) => db.all("CREATE TABLE t (a)", callback))).toEqual([]);
  });
});

describe("each()", () => {
  const numbers =
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000) SELECT n FROM c";

  it("calls for each row in order, and tells their number", async () => {
    await using db = await open();
    const seen: number[] = [];
    const count = await called<number>((callback) =>
      db.each(numbers, (_: Error | null, { n }: { n: number }) => seen.push(n), callback),
    );
    expect([count, seen.length, seen.at(0), seen.at(-1)]).toEqual([5000, 5000, 1, 5000]);
    const statement = db.prepare("SELECT ? AS n UNION ALL SELECT 8");
    seen.length = 0;
    await called((callback) =>
      statement.each(7, (_: Error | null, { n }: { n: number }) => seen.push(n), callback),
    );
    expect(seen).toEqual([7, 8]);
    statement.finalize();
  });

  it("gives the error of a step to the function for rows, and the number all the same", async () => {
    await using db = await open();
    const errors: unknown[] = [];
    // The sum is too big from a certain row on.
    const sql = `${numbers} WHERE n < 2000 OR abs(-9223372036854775807 - 1) > 0`;
    const count = await called<number>((callback) =>
      db.each(sql, (error: Error | null) => void (error !== null && errors.push(error.message)), callback),
    );
    expect(errors).toEqual(["SQLITE_ERROR: integer overflow"]);
    expect(count).toBe(1999);
  });

  it("gives the error of a text to the last function alone", async () => {
    await using db = await open();
    let rows = 0;
    const error = await failed((callback) => db.each("SELECT * FROM nowhere", () => rows++, callback));
    expect([error.message, rows]).toEqual(["SQLITE_ERROR: no such table: nowhere", 0]);
    const alone = await failed((callback) => db.each("SELECT * FROM nowhere", callback));
    expect(alone.message).toBe("SQLITE_ERROR: no such table: nowhere");
  });
});

describe("map()", () => {
  it("has the second column for a value where there are two, the row where there are more", async () => {
    await using db = await open();
    await called((callback) => db.exec(table, callback));
    expect(await called((callback) => db.map("SELECT a, id FROM t WHERE id < ?", 3, callback))).toEqual({
      one: 1,
      two: 2,
    });
    expect(await called((callback) => db.map("SELECT id, a, 5 AS b FROM t WHERE id = 1", callback))).toEqual({
      1: { id: 1, a: "one", b: 5 },
    });
    expect(await called((callback) => db.map("SELECT a, id FROM t WHERE 0", callback))).toEqual({});
    expect((await failed((callback) => db.map("SELECT * FROM nowhere", callback))).code).toBe("SQLITE_ERROR");
    const statement = db.prepare("SELECT '__proto__' AS key, 1 AS value");
    const map = await called<object>((callback) => statement.map(callback));
    expect(Object.entries(map)).toEqual([["__proto__", 1]]);
    statement.finalize();
  });

  it("of a database does not call its all()", async () => {
    class Counting extends sqlite3.Database {
      calls = 0;
      override all(...given: [sql: string, ...rest: unknown[]]): this {
        this.calls++;
        return super.all(...given);
      }
    }
    const db = new Counting(":memory:");
    expect(await called((callback) => db.map("SELECT 1 AS a, 2 AS b", callback))).toEqual({ 1: 2 });
    expect(await called((callback) => db.all("SELECT 1 AS a", callback))).toEqual([{ a: 1 }]);
    expect(db.calls).toBe(1);
    await called((callback) => db.close(callback));
  });
});

describe("finalize()", () => {
  it("comes when all before it is answered, gives the database, and ends the statement", async () => {
    await using db = await open();
    const told: string[] = [];
    const statement = db.prepare("SELECT 1");
    statement.get(() => told.push("get"));
    expect(statement.finalize(() => told.push("finalized"))).toBe(db);
    const behind = failed((callback) => statement.run(callback));
    expect(await behind).toEqual({
      message: "SQLITE_MISUSE: Statement is already finalized",
      errno: 21,
      code: "SQLITE_MISUSE",
    });
    expect(told).toEqual(["get", "finalized"]);
    const emitted = event(statement, "error");
    statement.on("error", () => {});
    statement.finalize();
    expect((await emitted)[0]).toMatchObject({ code: "SQLITE_MISUSE" });
  });
});
