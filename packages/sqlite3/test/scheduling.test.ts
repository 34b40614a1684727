import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { called, event, freshPath, open, type Row } from "./support.ts";

describe("serialize()", () => {
  it("runs a call when those before it are answered, prepared statements included", async () => {
    await using db = await open();
    const told: string[] = [];
    const row = await new Promise((resolve) => {
      db.serialize(() => {
        db.run("CREATE TABLE t (a)", () => told.push("created"));
        const statement = db.prepare("INSERT INTO t VALUES (?)");
        for (let a = 0; a < 1000; a++) statement.run(a);
        statement.finalize(() => told.push("finalized"));
        db.get("SELECT count(*) AS n FROM t", (_: Error | null, counted: Row) => resolve(counted));
      });
    });
    expect([told, row]).toEqual([["created", "finalized"], { n: 1000 }]);
  });

  it("lets each() call for all rows before the next call starts", async () => {
    await using db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)", callback));
    const told: unknown[] = [];
    db.serialize();
    db.each(
      "SELECT a FROM t ORDER BY a",
      (_: Error | null, { a }: { a: number }) => told.push(a),
      (_, count) => told.push(`${count} rows`),
    );
    await called((callback) => db.run("DELETE FROM t", callback));
    expect(told).toEqual([1, 2, 3, "3 rows"]);
  });

  it("holds for the calls within its callback, and parallelize() within that for its own", async () => {
    await using db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", callback));
    const told: string[] = [];
    const over = new Promise<void>((resolve) => {
      db.serialize(() => {
        db.each(
          "SELECT a FROM t",
          () => {},
          () => told.push("each"),
        );
        db.parallelize(() => {
          db.get("SELECT 1", () => told.push("beside"));
        });
        db.get("SELECT 2", () => {
          told.push("behind");
          resolve();
        });
      });
    });
    await over;
    expect(told.indexOf("behind")).toBe(2);
    expect(told.toSorted()).toEqual(["behind", "beside", "each"]);
  });

  it("calls its callback at once, with the database as `this`", async () => {
    await using db = await open();
    const self: unknown[] = [];
    db.serialize(function (this: unknown) {
      self.push(this);
    });
    expect(self).toEqual([db]);
  });
});

describe("calls side by side", () => {
  it("may be made by the callbacks of each() though close() waits already", async () => {
    const db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)", callback));
    const updated: string[] = [];
    db.each("SELECT a FROM t", (_: Error | null, { a }: { a: number }) => {
      db.run("UPDATE t SET a = a + 10 WHERE a = ?", a, (error: Error | null) =>
        updated.push(error?.message ?? "done"),
      );
    });
    await called((callback) => db.close(callback));
    expect(updated).toEqual(["done", "done"]);
  });

  it("are answered in the order in which they were made", async () => {
    await using db = await open();
    const told: string[] = [];
    db.get("SELECT 1", () => told.push("get"));
    db.run("SELECT 1", () => told.push("run"));
    db.all("SELECT 1", () => told.push("all"));
    db.exec("SELECT 1", () => told.push("exec"));
    await called((callback) => db.wait(callback));
    expect(told).toEqual(["get", "run", "all", "exec"]);
  });
});

describe("runs that nobody waits for", () => {
  it("are done in the order of the calls, those of other statements between them", async () => {
    await using db = await open();
    await called((callback) => db.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a)", callback));
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) db.run("INSERT INTO t (a) VALUES (?)", i);
      db.run("UPDATE t SET a = -a");
    }
    await called((callback) => db.wait(callback));
    const rows = await called<{ a: number }[]>((callback) => db.all("SELECT a FROM t ORDER BY id", callback));
    const round = Array.from({ length: 50 }, (_, i) => i);
    // A third negation for the first fifty, a second one for those behind, one for the last.
    expect(rows.map(({ a }) => a + 0)).toEqual([
      ...round.map((i) => -i + 0),
      ...round,
      ...round.map((i) => -i + 0),
    ]);
  });

  it("fail one by one: each failure is an event of its statement, and the others are done", async () => {
    await using db = await open();
    await called((callback) => db.run("CREATE TABLE t (a INTEGER PRIMARY KEY)", callback));
    const statement = db.prepare("INSERT INTO t VALUES (?)");
    const errors: Error[] = [];
    statement.on("error", (error) => errors.push(error));
    for (const a of [1, 2, 2, 3, 1, 4]) statement.run(a);
    await called((callback) => statement.finalize(callback as () => void));
    expect(errors.map(({ message }) => message)).toEqual(
      Array(2).fill("SQLITE_CONSTRAINT: UNIQUE constraint failed: t.a"),
    );
    expect(await called((callback) => db.all("SELECT a FROM t", callback))).toEqual(
      [1, 2, 3, 4].map((a) => ({ a })),
    );
  });

  it("take their values when they are called", async () => {
    await using db = await open();
    await called((callback) => db.run("CREATE TABLE t (a, b)", callback));
    const bytes = Buffer.from("before");
    const values = [1, bytes];
    db.run("INSERT INTO t VALUES (?, ?)", values);
    db.run("INSERT INTO t VALUES (?, ?)", values);
    values[0] = 2;
    bytes.write("behind");
    await called((callback) => db.wait(callback));
    expect(await called((callback) => db.all("SELECT * FROM t", callback))).toEqual([
      { a: 1, b: Buffer.from("before") },
      { a: 1, b: Buffer.from("before") },
    ]);
  });

  it("belong to the mode that they were called in", async () => {
    await using db = await open();
    db.serialize(() => {
      db.run("CREATE TABLE t (a)");
      for (let a = 0; a < 10; a++) db.run("INSERT INTO t VALUES (?)", a);
    });
    await called((callback) => db.wait(callback));
    expect(await called((callback) => db.get("SELECT count(*) AS n FROM t", callback))).toEqual({ n: 10 });
  });

  it("are done before the database is closed", async () => {
    const path = freshPath();
    const db = await open(path);
    await called((callback) => db.run("CREATE TABLE t (a)", callback));
    db.run("BEGIN");
    for (let a = 0; a < 2500; a++) db.run("INSERT INTO t VALUES (?)", a);
    db.run("COMMIT");
    await called((callback) => db.close(callback));
    await using again = await open(path);
    expect(await called((callback) => again.get("SELECT count(*) AS n FROM t", callback))).toEqual({
      n: 2500,
    });
  });

  it("throw what nobody listens for out of the process's loop, with the error of sqlite3", async () => {
    await using db = await open();
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    try {
      const thrown = event(process, "uncaughtException");
      db.run("INSERT INTO nowhere VALUES (1)");
      expect((await thrown)[0]).toMatchObject({ message: "SQLITE_ERROR: no such table: nowhere", errno: 1 });
    } finally {
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });
});

describe("a callback", () => {
  it("runs in the asynchronous context in which it was handed over", async () => {
    await using db = await open();
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const over = storage.run("caller", () =>
      called((callback) => {
        db.each(
          "SELECT 1 UNION SELECT 2",
          () => seen.push(storage.getStore()),
          (error) => {
            seen.push(storage.getStore());
            callback(error);
          },
        );
      }),
    );
    await over;
    expect(seen).toEqual(["caller", "caller", "caller"]);
  });

  it("that throws does not keep those behind it from being called", async () => {
    await using db = await open();
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const thrown = event(process, "uncaughtException");
    try {
      db.get("SELECT 1", () => {
        throw new Error("of the application");
      });
      expect(await called((callback) => db.get("SELECT 2 AS two", callback))).toEqual({ two: 2 });
      expect((await thrown)[0]).toMatchObject({ message: "of the application" });
    } finally {
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });

  it("of each() that throws is an uncaught exception before the next row comes", async () => {
    await using db = await open();
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const seen: unknown[] = [];
    const note = (error: Error): void => void seen.push(error.message);
    process.on("uncaughtException", note);
    const throws = (error: Error | null, row: Row): never => {
      seen.push(error === null ? row : error.message);
      throw new Error(`thrown for ${seen.length}`);
    };
    const sql = "SELECT 1 AS a UNION ALL SELECT abs(a) FROM (SELECT 2 AS a UNION ALL SELECT -1 << 63)";
    const statement = db.prepare(sql);
    try {
      await called((callback) => db.each(sql, throws, callback));
      await called((callback) => statement.each(throws, callback));
    } finally {
      process.removeListener("uncaughtException", note);
      for (const listener of listeners) process.on("uncaughtException", listener);
      statement.finalize();
    }
    const once = (from: number): unknown[] => [
      { a: 1 },
      `thrown for ${from + 1}`,
      { a: 2 },
      `thrown for ${from + 3}`,
      "SQLITE_ERROR: integer overflow",
      `thrown for ${from + 5}`,
    ];
    expect(seen).toEqual([...once(0), ...once(6)]);
  });

  it("of wait() is called at once if there is nothing to wait for", async () => {
    await using db = await open();
    const seen: unknown[] = [];
    db.wait(function (this: unknown, ...given: unknown[]) {
      seen.push(this === db, given);
    });
    expect(seen).toEqual([true, [null]]);
    db.run("CREATE TABLE t (a)");
    const waited = called((callback) => db.wait(callback));
    db.wait(() => seen.push("later"));
    expect(seen).toHaveLength(2);
    await waited;
  });
});
