import { capabilities, createPool, SQLITE_DELETE, SQLITE_INSERT, SQLITE_UPDATE } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

const create = "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE); CREATE TABLE u (b)";

describe.runIf(capabilities.hooks)("hooks", () => {
  it("are told of each row before the statement's own promise resolves, in order", async () => {
    const db = await open();
    await db.executescript(create);
    const told: unknown[] = [];
    await db.setUpdateHook((...row) => told.push(row));
    const insert = db
      .execute("INSERT INTO t (id, a) VALUES (1, 'x'), (7, 'y')")
      .then(() => told.push("done"));
    const others = db.executescript(
      "UPDATE t SET a = 'z' WHERE id = 7; INSERT INTO u VALUES (1); DELETE FROM t",
    );
    await insert;
    expect(told.slice(0, 2)).toEqual([
      [SQLITE_INSERT, "main", "t", 1],
      [SQLITE_INSERT, "main", "t", 7],
    ]);
    expect(told).toContain("done");
    await others;
    expect(told.filter((one) => one !== "done").slice(2)).toEqual([
      [SQLITE_UPDATE, "main", "t", 7],
      [SQLITE_INSERT, "main", "u", 1],
      [SQLITE_DELETE, "main", "t", 1],
      [SQLITE_DELETE, "main", "t", 7],
    ]);
  });

  it("are told of rowids in the form that `integers` asks for, of temporary and attached tables, and of triggers", async () => {
    const db = await open(":memory:", { integers: "auto" });
    await db.executescript(`${create}; ATTACH ':memory:' AS more; CREATE TABLE more.m (a); CREATE TEMP TABLE n (a);
      CREATE TRIGGER tr AFTER INSERT ON u BEGIN INSERT INTO t (id) VALUES (9007199254740993); END`);
    const told: unknown[] = [];
    await db.setUpdateHook((...row) => told.push(row));
    await db.executescript("INSERT INTO m VALUES (1); INSERT INTO n VALUES (1); INSERT INTO u VALUES (1)");
    expect(told).toEqual([
      [SQLITE_INSERT, "more", "m", 1],
      [SQLITE_INSERT, "temp", "n", 1],
      [SQLITE_INSERT, "main", "u", 1],
      [SQLITE_INSERT, "main", "t", 9007199254740993n],
    ]);
  });

  it("tell commits and rollbacks in between the rows, a commit once it has succeeded", async () => {
    const db = await open();
    await db.executescript(create);
    const told: string[] = [];
    await db.setUpdateHook((action, _database, table, rowid) => told.push(`${action} ${table} ${rowid}`));
    await db.setCommitHook(() => told.push("commit"));
    await db.setRollbackHook(() => told.push("rollback"));
    await db.execute("INSERT INTO u VALUES (1)");
    expect(told).toEqual(["18 u 1"]);
    await db.commit();
    await db.execute("INSERT INTO u VALUES (2)");
    await db.rollback();
    await db.executescript("INSERT INTO u VALUES (3); BEGIN; INSERT INTO u VALUES (4); COMMIT");
    await rejection(
      db.transaction(async (tx) => {
        await tx.execute("INSERT INTO u VALUES (5)");
        throw new Error("undo");
      }),
    );
    expect(told).toEqual([
      "18 u 1",
      "commit",
      "18 u 2",
      "rollback",
      "18 u 2",
      "commit",
      "18 u 3",
      "commit",
      "18 u 4",
      "rollback",
    ]);
  });

  it("tell of no commit that a lock has kept from happening, and of the one that follows", async () => {
    const path = await temporaryPath();
    const db = await open(path, { timeout: 0 });
    await db.executescript("CREATE TABLE t (a)");
    const told: string[] = [];
    await db.setCommitHook(() => told.push("commit"));
    await db.setRollbackHook(() => told.push("rollback"));
    const reader = openEngine(path);
    reader.exec("BEGIN; SELECT * FROM t");
    reader.prepare("SELECT * FROM t").all();
    await db.execute("INSERT INTO t VALUES (1)");
    expect(await rejection(db.commit())).toMatchObject({ code: "SQLITE_BUSY" });
    expect(told).toEqual([]);
    await db.execute("INSERT INTO t VALUES (2)");
    expect(told).toEqual([]);
    reader.exec("COMMIT");
    await db.commit();
    expect(told).toEqual(["commit"]);
  });

  it("of autocommitted sets are told one by one, also of the ones before one that fails", async () => {
    const db = await open(":memory:", { isolationLevel: null });
    await db.executescript(create);
    const told: string[] = [];
    await db.setUpdateHook((_action, _database, _table, rowid) => told.push(`row ${rowid}`));
    await db.setCommitHook(() => told.push("commit"));
    await db.setRollbackHook(() => told.push("rollback"));
    await rejection(
      db.executemany("INSERT INTO t VALUES (?, ?)", [
        [1, "a"],
        [2, "b"],
        [3, "a"],
        [4, "c"],
      ]),
    );
    expect(told).toEqual(["row 1", "commit", "row 2", "commit", "rollback"]);
  });

  it("end with null, one by one, and are none of the next holder's", async () => {
    const db = await open();
    await db.executescript(create);
    const told: string[] = [];
    await db.setUpdateHook(() => told.push("row"));
    await db.setCommitHook(() => told.push("commit"));
    await db.setUpdateHook(null);
    await db.execute("INSERT INTO u VALUES (1)");
    await db.commit();
    expect(told).toEqual(["commit"]);
    await db.setCommitHook(null);
    await db.execute("INSERT INTO u VALUES (1)");
    await db.commit();
    expect(told).toEqual(["commit"]);

    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec(create);
    const lease = await pool.acquire();
    await lease.setUpdateHook(() => told.push("of the lease"));
    await lease.execute("INSERT INTO u VALUES (1)");
    await lease.commit();
    await lease.close();
    expect(told).toEqual(["commit", "of the lease"]);
    await pool.run("INSERT INTO u VALUES (2)");
    await using next = await pool.acquire();
    const theirs: string[] = [];
    await next.setCommitHook(() => theirs.push("commit"));
    await next.execute("INSERT INTO u VALUES (3)");
    await next.commit();
    expect([told, theirs]).toEqual([["commit", "of the lease"], ["commit"]]);
  });

  it("stay when the contents of a connection are replaced", async () => {
    const db = await open();
    const told: unknown[] = [];
    await db.setUpdateHook((...row) => told.push(row));
    const source = await open();
    await source.executescript(create);
    await source.backup(db);
    await db.execute("INSERT INTO u VALUES (1)");
    expect(told).toEqual([[SQLITE_INSERT, "main", "u", 1]]);
  });

  it("that throw fail no statement, and give a warning", async () => {
    const db = await open();
    await db.executescript(create);
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    await db.setUpdateHook(() => {
      throw new Error("from the hook");
    });
    expect((await db.execute("INSERT INTO u VALUES (1)")).rowcount).toBe(1);
    expect(await warned).toMatchObject({ message: "a hook threw: from the hook", code: "SQLITE_AIO_HOOK" });
  });

  it("go with a pool's change events, which tell what they told before", async () => {
    const pool = await createPool(await temporaryPath(), { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    await pool.exec(create);
    const changed = new Promise<readonly string[]>((resolve) =>
      pool.once("change", ({ tables }) => resolve(tables)),
    );
    const told: unknown[] = [];
    const lease = await pool.acquire();
    await lease.setUpdateHook((...row) => told.push(row));
    await lease.execute("INSERT INTO u VALUES (1)");
    await lease.commit();
    expect(await changed).toEqual(["u"]);
    expect(told).toEqual([[SQLITE_INSERT, "main", "u", 1]]);
    await lease.close();
  });

  it("that are no function are a TypeError, and of a closed connection an error", async () => {
    const db = await open();
    for (const set of [
      () => db.setUpdateHook("no" as never),
      () => db.setCommitHook(undefined as never),
      () => db.setRollbackHook({} as never),
    ])
      expect(await rejection(set)).toBeInstanceOf(TypeError);
    await db.close();
    expect(await rejection(db.setUpdateHook(null))).toMatchObject({ name: "ConnectionClosedError" });
  });
});
