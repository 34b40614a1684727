import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Backup } from "../dist/declarations/sqlite3.js";
import { called, event, failed, freshPath, open, sqlite3 } from "./support.ts";

const script = `
  PRAGMA page_size = 512;
  CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b AS (a || '!'));
  CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID;
  CREATE UNIQUE INDEX by_a ON t (a);
  CREATE VIEW v AS SELECT a FROM t;
  CREATE TRIGGER copy AFTER INSERT ON w BEGIN INSERT INTO t (a) VALUES (new.k); END;
  INSERT INTO t (id, a) VALUES (7, 'seven'), (9, zeroblob(3000));
  INSERT INTO w VALUES ('key', 'value');
`;

describe("a backup", () => {
  it("copies a database in steps, of which it knows how many pages remain", async () => {
    await using db = await open();
    await called((callback) => db.exec(script, callback));
    const path = freshPath();
    const backup = db.backup(path);
    expect([backup.filename, backup.sourceName, backup.destName, backup.filenameIsDest]).toEqual([
      path,
      "main",
      "main",
      true,
    ]);
    expect([backup.idle, backup.remaining, backup.pageCount]).toEqual([false, -1, -1]);
    const step = (pages: number): Promise<boolean> => called((callback) => backup.step(pages, callback));
    expect(await step(0)).toBe(false);
    const { pageCount } = backup;
    expect([backup.idle, backup.remaining, backup.completed]).toEqual([true, pageCount, false]);
    expect(await step(2)).toBe(false);
    expect([backup.remaining, existsSync(path)]).toEqual([pageCount - 2, true]);
    await called((callback) => db.run("INSERT INTO t (a) VALUES ('late')", callback));
    expect(await step(-1)).toBe(true);
    expect([backup.remaining, backup.completed, backup.failed]).toEqual([0, true, false]);
    await called((callback) => backup.finish(callback as () => void));
    await using copy = await open(path, sqlite3.OPEN_READONLY);
    expect(await called((callback) => copy.get("SELECT count(*) AS n FROM t", callback))).toEqual({ n: 4 });
  });

  it("that is finished early has failed, and takes no more steps", async () => {
    await using db = await open();
    const backup = db.backup(freshPath());
    await called((callback) => backup.finish(callback as () => void));
    expect([backup.completed, backup.failed]).toEqual([false, true]);
    const error = await failed((callback) => backup.step(1, callback));
    expect(error).toEqual({
      message: "SQLITE_MISUSE: Backup is already finished",
      errno: 21,
      code: "SQLITE_MISUSE",
    });
    const emitted = event(backup, "error");
    backup.step(1);
    expect((await emitted)[0]).toMatchObject({ errno: 21 });
  });

  it("keeps its database from being closed until it is over", async () => {
    const db = await open();
    const backup = db.backup(freshPath());
    const error = await failed((callback) => db.close(callback));
    expect(error.code).toBe("SQLITE_BUSY");
    await called((callback) => backup.step(-1, callback));
    await called((callback) => db.close(callback));
  });

  it("meets a lock at once, and goes on after it unless retryErrors says otherwise", async () => {
    const path = freshPath();
    await using holder = await open(path);
    await called((callback) => holder.exec("CREATE TABLE held (a); BEGIN EXCLUSIVE", callback));
    await using db = await open();
    await called((callback) => db.exec(script, callback));
    const backup = db.backup(path);
    const busy = await failed((callback) => backup.step(-1, callback));
    expect(busy).toEqual({ message: "SQLITE_BUSY: database is locked", errno: 5, code: "SQLITE_BUSY" });
    expect([backup.completed, backup.failed]).toEqual([false, false]);
    const other = db.backup(path);
    other.retryErrors = [sqlite3.LOCKED];
    expect((await failed((callback) => other.step(-1, callback))).errno).toBe(5);
    expect([other.completed, other.failed]).toEqual([false, true]);
    await called((callback) => holder.run("COMMIT", callback));
    expect(await called((callback) => backup.step(-1, callback))).toBe(true);
    expect((await failed((callback) => other.step(-1, callback))).errno).toBe(5);
  });

  it("copies from a file into a database in memory or a file's", async () => {
    const path = freshPath();
    {
      await using source = await open(path);
      await called((callback) => source.exec(script, callback));
    }
    for (const target of [":memory:", freshPath()]) {
      await using db = await open(target);
      const backup = db.backup(path, "main", "main", false);
      expect(await called((callback) => backup.step(-1, callback))).toBe(true);
      await called((callback) => backup.finish(callback as () => void));
      expect(await called((callback) => db.get("SELECT v FROM w", callback)), target).toEqual({ v: "value" });
    }
  });

  it("copies from a file into the temporary database, with all that is in it", async () => {
    const path = freshPath();
    {
      await using source = await open(path);
      await called((callback) => source.exec(script, callback));
    }
    await using db = await open(path, sqlite3.OPEN_READONLY);
    await called((callback) => db.exec("CREATE TEMP TABLE gone (a)", callback));
    const backup = db.backup(path, "main", "temp", false);
    expect(await called((callback) => backup.step(-1, callback))).toBe(true);
    await called((callback) => backup.finish(callback as () => void));
    const all = (sql: string): Promise<unknown> => called((callback) => db.all(sql, callback));
    for (const schema of ["main", "temp"]) {
      expect(await all(`SELECT id, b FROM ${schema}.t WHERE id = 7`), schema).toEqual([
        { id: 7, b: "seven!" },
      ]);
      expect(await all(`SELECT * FROM ${schema}.w`), schema).toEqual([{ k: "key", v: "value" }]);
      expect(await all(`SELECT seq FROM ${schema}.sqlite_sequence`), schema).toEqual([{ seq: 10 }]);
      expect(
        await all(
          `SELECT type, name FROM ${schema}.sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name`,
        ),
      ).toEqual([
        { type: "index", name: "by_a" },
        { type: "trigger", name: "copy" },
        { type: "table", name: "t" },
        { type: "view", name: "v" },
        { type: "table", name: "w" },
      ]);
    }
  });

  it("of a database that is not there fails, and says so at once", async () => {
    await using db = await open();
    const error = await failed((callback) => db.backup(freshPath(), "nowhere", "main", true, callback));
    expect(error).toEqual({
      message: "SQLITE_ERROR: unknown database nowhere",
      errno: 1,
      code: "SQLITE_ERROR",
    });
  });

  it("of or into a file that cannot be opened fails before its first step", async () => {
    await using db = await open();
    const folder = dirname(freshPath());
    const nowhere = join(folder, "nowhere", "x.db");
    for (const path of [nowhere, folder]) {
      const error = await failed((callback) => db.backup(path, callback));
      expect(error, path).toEqual({
        message: "SQLITE_CANTOPEN: unable to open database file",
        errno: 14,
        code: "SQLITE_CANTOPEN",
      });
      const from = await failed((callback) => db.backup(path, "main", "main", false, callback));
      expect(from.code, path).toBe("SQLITE_CANTOPEN");
    }
    // The file comes before the names of the databases.
    const both = await failed((callback) => db.backup(nowhere, "none", "main", true, callback));
    expect(both.code).toBe("SQLITE_CANTOPEN");
    const backup = db.backup(nowhere);
    const emitted = event(backup, "error");
    let answers = 0;
    backup.step(1, () => answers++);
    backup.finish(() => answers++);
    expect((await emitted)[0]).toMatchObject({ code: "SQLITE_CANTOPEN" });
    await called((callback) => db.wait(callback));
    expect([answers, backup.idle, backup.completed, backup.failed]).toEqual([0, false, false, true]);
  });

  it("creates its file when it begins, also the one that it reads", async () => {
    await using db = await open();
    for (const isDest of [true, false]) {
      const path = freshPath();
      const backup = await begun((callback) => db.backup(path, "main", "main", isDest, callback));
      expect([existsSync(path), statSync(path).size]).toEqual([true, 0]);
      expect(await called((callback) => backup.step(-1, callback))).toBe(true);
      await called((callback) => backup.finish(callback as () => void));
    }
  });

  it("keeps the locks that others of the process hold on its file", async () => {
    const path = freshPath();
    await using holder = await open(path);
    await called((callback) => holder.exec("CREATE TABLE held (a); BEGIN EXCLUSIVE", callback));
    await using db = await open();
    const backup = await begun((callback) => db.backup(path, callback));
    // Another process, to which a file that was opened and closed here would be free.
    const locking = `const { DatabaseSync } = require("node:sqlite"); new DatabaseSync(${JSON.stringify(path)}, { timeout: 0 }).exec("BEGIN EXCLUSIVE")`;
    const { status, stderr } = spawnSync(process.execPath, ["-e", locking], { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, expect.stringContaining("database is locked")]);
    await called((callback) => backup.finish(callback as () => void));
    await called((callback) => holder.exec("COMMIT", callback));
  });

  it("into a database in memory reaches nobody, and ends as any other", async () => {
    await using db = await open();
    await called((callback) => db.exec(script, callback));
    for (const name of ["", ":memory:"]) {
      const backup = await begun((callback) => db.backup(name, callback));
      expect(await called((callback) => backup.step(1, callback))).toBe(false);
      expect(await called((callback) => backup.step(-1, callback))).toBe(true);
      await called((callback) => backup.finish(callback as () => void));
      expect([backup.completed, existsSync(":memory:")]).toEqual([true, false]);
    }
  });

  it("is idle when the callback of its last call has returned, not inside of one", async () => {
    await using db = await open();
    await called((callback) => db.exec(script, callback));
    const told: unknown[] = [];
    const backup = await begun((callback) =>
      db.backup(freshPath(), function (this: Backup, error: Error | null) {
        told.push(["begun", this.idle]);
        callback.call(this, error);
      }),
    );
    expect(backup.idle).toBe(true);
    await called((callback) => {
      backup.step(1, () => {
        told.push(["first", backup.idle]);
        backup.step(0, (error) => {
          told.push(["second", backup.idle]);
          callback(error);
        });
      });
      expect(backup.idle).toBe(false);
    });
    expect(backup.idle).toBe(true);
    await called((callback) =>
      backup.finish(() => {
        told.push(["finished", backup.idle]);
        callback(null);
      }),
    );
    expect(backup.idle).toBe(true);
    expect(told).toEqual([
      ["begun", false],
      ["first", false],
      ["second", false],
      ["finished", false],
    ]);
  });

  it("throws what is wrong with its arguments", async () => {
    await using db = await open();
    const backup = (...given: unknown[]): unknown =>
      (db.backup as (...given: unknown[]) => unknown)(...given);
    expect(() => backup(7)).toThrow(new TypeError("Filename expected"));
    expect(() => backup("x", 7, "main", true)).toThrow(new TypeError("Source database name expected"));
    expect(() => backup("x", "main", 7, true)).toThrow(new TypeError("Destination database name expected"));
    expect(() => backup("x", "main", "main", 7)).toThrow(new TypeError("Direction flag expected"));
    const valid = db.backup(freshPath());
    expect(() => valid.step("all" as unknown as number)).toThrow(
      new TypeError("Argument 0 must be an integer"),
    );
    expect(() => (valid.retryErrors = 7 as unknown as number[])).toThrow("retryErrors must be an array");
    valid.finish();
  });
});

/** A backup that has begun. */
function begun(start: (callback: (this: Backup, error: Error | null) => void) => Backup): Promise<Backup> {
  return new Promise((resolve, reject) => {
    start(function (error) {
      if (error === null) resolve(this);
      else reject(error);
    });
  });
}
