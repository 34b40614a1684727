import { describe, expect, it } from "vitest";
import { called, event, open, sqlite3 } from "./support.ts";

describe("trace", () => {
  it("tells every statement that was asked for, values filled in, and none of our own", async () => {
    await using db = await open();
    const told: string[] = [];
    const listener = (sql: string): void => void told.push(sql);
    db.on("trace", listener);
    // A second one does not turn it off.
    db.on("trace", () => {});
    await called((callback) => db.run("CREATE TABLE t (a)", callback));
    const statement = db.prepare("INSERT INTO t VALUES (?)");
    await called((callback) => statement.run(7, callback));
    await called((callback) => db.exec("INSERT INTO t VALUES (8); SELECT 9", callback));
    await called((callback) => db.run("SELECT 10", callback));
    statement.finalize();
    db.removeAllListeners("trace");
    await called((callback) => db.run("SELECT 11", callback));
    expect(told).toEqual([
      "CREATE TABLE t (a)",
      "INSERT INTO t VALUES (7)",
      "INSERT INTO t VALUES (8);",
      "SELECT 9",
      "SELECT 10",
    ]);
  });
});

describe("profile", () => {
  it("tells each statement of this database with the milliseconds that it ran", async () => {
    await using db = await open();
    await using other = await open();
    const told: [string, number][] = [];
    db.on("profile", (sql, ms) => told.push([sql, ms]));
    await called((callback) => db.run("CREATE TABLE t (a)", callback));
    await called((callback) => other.run("SELECT 1", callback));
    await called((callback) => db.all("SELECT * FROM t WHERE a = ?", 5, callback));
    expect(told.map(([sql]) => sql)).toEqual(["CREATE TABLE t (a)", "SELECT * FROM t WHERE a = ?"]);
    for (const [, ms] of told) expect(ms).toBeGreaterThanOrEqual(0);
    db.removeAllListeners("profile");
    await called((callback) => db.run("SELECT 2", callback));
    expect(told).toHaveLength(2);
  });
});

describe.skipIf(process.env["SQLITE_AIO_NATIVE"] === "off")("with the native companion", () => {
  it("change tells of each row: what, where, and its rowid", async () => {
    await using db = await open();
    await called((callback) => db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)", callback));
    const told: unknown[] = [];
    db.on("change", (...change) => told.push(change));
    db.run("INSERT INTO t VALUES (2), (3)");
    db.run("UPDATE t SET a = 9 WHERE rowid = 1");
    await called((callback) => db.run("DELETE FROM t WHERE rowid = 2", callback));
    expect(told).toEqual([
      ["insert", "main", "t", 2],
      ["insert", "main", "t", 3],
      ["update", "main", "t", 1],
      ["delete", "main", "t", 2],
    ]);
    db.removeAllListeners("change");
    await called((callback) => db.run("DELETE FROM t", callback));
    expect(told).toHaveLength(4);
  });

  it("configure sets limits", async () => {
    await using db = await open();
    db.configure("limit", sqlite3.LIMIT_COLUMN, 2);
    const [error] = await event(db.prepare("SELECT 1, 2, 3"), "error");
    expect(error).toMatchObject({ message: "SQLITE_ERROR: too many columns in result set" });
    const errors: unknown[] = [];
    db.on("error", (told) => errors.push(told));
    // SQLite ignores limits that it does not have.
    db.configure("limit", 99, 5);
    db.configure("limit", -1, 5);
    await called((callback) => db.get("SELECT 1", callback));
    expect(errors).toEqual([]);
  });
});

describe.runIf(process.env["SQLITE_AIO_NATIVE"] === "off")("without the native companion", () => {
  it("change and limits are errors of the database that name the package", async () => {
    await using db = await open();
    for (const use of [
      () => db.on("change", () => {}),
      () => db.configure("limit", sqlite3.LIMIT_COLUMN, 2),
    ]) {
      const emitted = event(db, "error");
      use();
      expect((await emitted)[0]).toMatchObject({ message: expect.stringContaining("@sqlite-aio/native") });
    }
  });
});
