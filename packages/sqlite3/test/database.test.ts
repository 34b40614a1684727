import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { called, event, failed, freshPath, open, type Row, sqlite3 } from "./support.ts";

const { OPEN_CREATE, OPEN_READONLY, OPEN_READWRITE } = sqlite3;

describe("opening", () => {
  it("calls back, emits open, and knows its name and flags", async () => {
    const path = freshPath();
    const told: string[] = [];
    const db = new sqlite3.Database(path, () => told.push("callback"));
    expect([db.open, db.filename, db.mode]).toEqual([false, path, 0x10006]);
    await event(db, "open");
    expect([told, db.open]).toEqual([["callback"], true]);
    await called((callback) => db.close(callback));
    expect(db.open).toBe(false);
  });

  it("creates no file without OPEN_CREATE", async () => {
    const path = freshPath();
    for (const mode of [OPEN_READONLY, OPEN_READWRITE]) {
      const error = await failed((callback) => new sqlite3.Database(path, mode, callback));
      expect(error).toEqual({
        message: "SQLITE_CANTOPEN: unable to open database file",
        errno: 14,
        code: "SQLITE_CANTOPEN",
      });
    }
    expect(existsSync(path)).toBe(false);
  });

  it("answers calls that waited for a database that cannot be opened, and later ones", async () => {
    const path = join(freshPath(), "nowhere", "x.db");
    const db = new sqlite3.Database(path, () => {});
    const waiting = failed((callback) => db.run("SELECT 1", callback));
    const silent = db.run("SELECT 1");
    expect(silent).toBe(db);
    expect((await waiting).message).toBe("SQLITE_MISUSE: Database handle is closed");
    const later = await failed((callback) => db.get("SELECT 1", callback));
    expect(later.message).toBe("SQLITE_MISUSE: Database is closed");
  });

  it("emits an error where there is no callback", async () => {
    const db = new sqlite3.Database(join(freshPath(), "nowhere", "x.db"));
    const [error] = await event(db, "error");
    expect(error).toMatchObject({ code: "SQLITE_CANTOPEN" });
  });

  it("fails for a file that is no database", async () => {
    const path = freshPath();
    writeFileSync(path, "this is no database, whatever it is called. ".repeat(100));
    const error = await failed((callback) => new sqlite3.Database(path, callback));
    expect(error).toEqual({
      message: "SQLITE_NOTADB: file is not a database",
      errno: sqlite3.NOTADB,
      code: "SQLITE_NOTADB",
    });
  });

  it("has SQLite's own defaults: no foreign keys, full synchronization", async () => {
    await using db = await open(freshPath());
    const row = await called<Row>((callback) =>
      db.get("SELECT foreign_keys, synchronous FROM pragma_foreign_keys, pragma_synchronous", callback),
    );
    expect(row).toEqual({ foreign_keys: 0, synchronous: 2 });
  });

  it("takes what is in double quotes for a string, or without the native companion for a column alone", async () => {
    await using db = await open();
    const answer = called<Row>((callback) => db.get('SELECT "a string" AS text', callback));
    if (capabilities.limits) expect(await answer).toEqual({ text: "a string" });
    else await expect(answer).rejects.toThrow('SQLITE_ERROR: no such column: "a string"');
  });

  it("writes nothing through a read-only database, in memory or not", async () => {
    const path = freshPath();
    {
      await using db = await open(path);
      await called((callback) => db.run("CREATE TABLE t (a)", callback));
    }
    for (const name of [path, ":memory:"]) {
      await using db = await open(name, OPEN_READONLY);
      const error = await failed((callback) => db.run("CREATE TABLE u (a)", callback));
      expect(error.message, name).toBe("SQLITE_READONLY: attempt to write a readonly database");
    }
  });

  it("refuses flags that SQLite has no meaning for", async () => {
    const error = await failed((callback) => new sqlite3.Database(":memory:", OPEN_CREATE, callback));
    expect(error.message).toBe("SQLITE_MISUSE: bad parameter or other API misuse");
  });

  it("throws what is wrong with the arguments at once", () => {
    // @ts-expect-error -- that is the point
    expect(() => new sqlite3.Database(17)).toThrow(new TypeError("String expected"));
    const { Database } = sqlite3 as unknown as { Database: () => void };
    expect(() => Database()).toThrow("Class constructors cannot be invoked without 'new'");
  });

  it("can be derived from", async () => {
    class Derived extends sqlite3.Database {
      greeting(): string {
        return `hello from ${this.filename}`;
      }
    }
    const db = new Derived(":memory:");
    expect(db.greeting()).toBe("hello from :memory:");
    expect(db).toBeInstanceOf(sqlite3.Database);
    await called((callback) => db.close(callback));
  });
});

describe("closing", () => {
  it("waits for what was called before, calls back and emits close", async () => {
    const db = await open();
    const told: string[] = [];
    db.on("close", () => told.push("event"));
    db.run("SELECT 1", () => told.push("run"));
    await called((callback) => db.close(callback));
    await new Promise(setImmediate);
    expect(told).toEqual(["run", "event"]);
  });

  it("refuses what was called behind it, and what is called when it is over", async () => {
    const db = await open();
    const closing = called((callback) => db.close(callback));
    const behind = failed((callback) => db.run("SELECT 1", callback));
    await closing;
    expect((await behind).message).toBe("SQLITE_MISUSE: Database handle is closed");
    const later = await failed((callback) => db.close(callback));
    expect(later).toEqual({ message: "SQLITE_MISUSE: Database is closed", errno: 21, code: "SQLITE_MISUSE" });
  });

  it("emits an error of the database for a call behind it that has no callback", async () => {
    const db = await open();
    const emitted = event(db, "error");
    db.close();
    db.run("SELECT 1");
    expect((await emitted)[0]).toMatchObject({ message: "SQLITE_MISUSE: Database handle is closed" });
  });

  it("fails while a statement is not finalized, and the database goes on", async () => {
    await using db = await open();
    const statement = db.prepare("SELECT 1 AS one");
    const error = await failed((callback) => db.close(callback));
    expect(error).toEqual({
      message: "SQLITE_BUSY: unable to close due to unfinalized statements or unfinished backups",
      errno: 5,
      code: "SQLITE_BUSY",
    });
    expect(await called((callback) => statement.get(callback))).toEqual({ one: 1 });
    await called((callback) => statement.finalize(callback as () => void));
  });
});

describe("exec", () => {
  it("runs all statements of a text, triggers among them, in the transaction that is open", async () => {
    await using db = await open();
    await called((callback) => db.run("BEGIN", callback));
    const script = `
      CREATE TABLE t (a); -- ; not here
      CREATE TRIGGER twice AFTER INSERT ON t WHEN new.a < 10 BEGIN INSERT INTO t VALUES (new.a + 10); END;
      INSERT INTO t VALUES (1); SELECT 'ignored;';
    `;
    await called((callback) => db.exec(script, callback));
    expect(await called((callback) => db.all("SELECT a FROM t", callback))).toEqual([{ a: 1 }, { a: 11 }]);
    await called((callback) => db.run("ROLLBACK", callback));
    expect(await called((callback) => db.all("SELECT * FROM sqlite_schema", callback))).toEqual([]);
  });

  it("reads a text up to its first NUL", async () => {
    await using db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a); \0 no SQL", callback));
    expect(await called((callback) => db.all("SELECT * FROM t", callback))).toEqual([]);
    const error = await failed((callback) => db.exec("INSERT INTO t VALUES ('a\0b')", callback));
    expect(error.message).toBe('SQLITE_ERROR: unrecognized token: "\'a"');
  });

  it("stops at the first error, and keeps what came before", async () => {
    await using db = await open();
    const error = await failed((callback) =>
      db.exec("CREATE TABLE t (a); INSERT INTO u VALUES (1)", callback),
    );
    expect(error.message).toBe("SQLITE_ERROR: no such table: u");
    expect(await called((callback) => db.all("SELECT name FROM sqlite_schema", callback))).toEqual([
      { name: "t" },
    ]);
  });
});

describe("interrupt", () => {
  it("stops what runs, and leaves what waits", async () => {
    await using db = await open();
    const endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c";
    let waiting: Promise<unknown> | undefined;
    const stopped = await failed((callback) =>
      db.each(endless, (error: Error | null) => {
        if (error !== null) callback(error);
        if (waiting !== undefined) return;
        waiting = called((answered) => db.get("SELECT 1 AS one", answered));
        db.interrupt();
      }),
    );
    expect(stopped).toEqual({ message: "SQLITE_INTERRUPT: interrupted", errno: 9, code: "SQLITE_INTERRUPT" });
    expect(await waiting).toEqual({ one: 1 });
  });

  it("throws for a database that is not open", async () => {
    const db = new sqlite3.Database(":memory:");
    expect(() => db.interrupt()).toThrow("Database is not open");
    await event(db, "open");
    db.close();
    expect(() => db.interrupt()).toThrow("Database is closing");
    await event(db, "close");
    expect(() => db.interrupt()).toThrow("Database is not open");
  });
});

describe("configure", () => {
  it("waits for a lock as long as busyTimeout says", async () => {
    const path = freshPath();
    await using holder = await open(path);
    await called((callback) => holder.exec("CREATE TABLE t (a); BEGIN IMMEDIATE", callback));
    await using db = await open(path);
    db.configure("busyTimeout", 30);
    const began = performance.now();
    const error = await failed((callback) => db.run("INSERT INTO t VALUES (1)", callback));
    expect(error).toEqual({ message: "SQLITE_BUSY: database is locked", errno: 5, code: "SQLITE_BUSY" });
    expect(performance.now() - began).toBeGreaterThan(25);
    db.configure("busyTimeout", 60_000);
    const written = called((callback) => db.run("INSERT INTO t VALUES (1)", callback));
    await called((callback) => holder.run("COMMIT", callback));
    await written;
  });

  it("says at once what is wrong with an option", async () => {
    await using db = await open();
    const configure = (...given: unknown[]): unknown =>
      (db.configure as (...given: unknown[]) => unknown)(...given);
    expect(() => configure("busyTimeout")).toThrow(new TypeError("Expected 2arguments"));
    expect(() => configure("busyTimeout", "long")).toThrow(new TypeError("Value must be an integer"));
    expect(() => configure("limit", "x", 1)).toThrow(new TypeError("limit id must be an integer"));
    expect(() => configure("limit", 1, "x")).toThrow(new TypeError("limit value must be an integer"));
    expect(() => configure("limit", 1)).toThrow(new TypeError("Expected 3arguments"));
    expect(() => configure("speed", 1)).toThrow(new TypeError("speed is not a valid configuration option"));
  });
});

describe("loadExtension", () => {
  it("fails with what SQLite says, and leaves no door open", async () => {
    await using db = await open();
    const error = await failed((callback) => db.loadExtension(join(freshPath(), "missing"), callback));
    expect(error).toMatchObject({ code: "SQLITE_ERROR" });
    const sql = await failed((callback) => db.get("SELECT load_extension('missing')", callback));
    expect(sql.message).toBe("SQLITE_ERROR: not authorized");
  });
});

describe("databases that have a cache in common", () => {
  it("are one database in memory, which is there until the last one is closed", async () => {
    const mode = sqlite3.OPEN_URI | OPEN_READWRITE | OPEN_CREATE;
    const name = "file:common?mode=memory&cache=shared";
    const first = await open(name, mode);
    const second = await open(name, mode);
    await called((callback) => first.exec("CREATE TABLE t (a); INSERT INTO t VALUES (7)", callback));
    await called((callback) => first.close(callback));
    expect(await called((callback) => second.get("SELECT a FROM t", callback))).toEqual({ a: 7 });
    await called((callback) => second.close(callback));
    await using third = await open(name, mode);
    const error = await failed((callback) => third.get("SELECT a FROM t", callback));
    expect(error.message).toBe("SQLITE_ERROR: no such table: t");
  });
});

it("a path in a folder with an odd name is opened as it is", async () => {
  const folder = freshPath();
  mkdirSync(join(folder, "50% ?#"), { recursive: true });
  const path = join(folder, "50% ?#", "a b.db");
  {
    await using db = await open(path);
    await called((callback) => db.run("CREATE TABLE t (a)", callback));
  }
  expect(existsSync(path)).toBe(true);
});
