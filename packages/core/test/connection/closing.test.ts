import {
  type Connection,
  ConnectionClosedError,
  connect,
  createPool,
  OperationalError,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n";

async function withTable(): Promise<{ db: Connection; path: string; stored: () => unknown[] }> {
  const path = await temporaryPath();
  const db = await open(path);
  await db.executescript("CREATE TABLE t (x)");
  return { db, path, stored: () => openEngine(path).prepare("SELECT x FROM t").pluck().all() };
}

describe("closing", () => {
  it("runs what was called before, in order, and rolls back what is not committed", async () => {
    const { db, stored } = await withTable();
    const order: string[] = [];
    const note = (what: string) => (): void => void order.push(what);
    const calls = [
      db.execute("INSERT INTO t VALUES (1)").then(note("insert")),
      db.commit().then(note("commit")),
      db.executemany("INSERT INTO t VALUES (?)", [[2], [3]]).then(note("many")),
      db.close().then(note("close")),
    ];
    await Promise.all(calls);
    expect(order).toEqual(["insert", "commit", "many", "close"]);
    expect(stored()).toEqual([1]);
  });

  it("waits for a transaction that is under way, and for those that wait for it", async () => {
    const { db, stored } = await withTable();
    const first = db.transaction(async (tx) => {
      await tx.execute("INSERT INTO t VALUES (1)");
      await tx.executeFetchall(NUMBERS);
      await tx.execute("INSERT INTO t VALUES (2)");
    });
    const second = db.transaction((tx) => tx.execute("INSERT INTO t VALUES (3)"));
    await db.close();
    await Promise.all([first, second]);
    expect(stored()).toEqual([1, 2, 3]);
  });

  it("can be asked for any number of times, at once or later", async () => {
    const { db } = await withTable();
    const first = db.close();
    expect(db.close()).toBe(first);
    await Promise.all([first, db.close(), db.stop()]);
    await db.close();
    await db.stop();
    await db[Symbol.asyncDispose]();
  });

  it("has succeeded where the thread dies meanwhile: what was committed is kept, and nothing else", async () => {
    const path = await temporaryPath();
    const engine = new URL("../fixtures/engine-dies-closing.mjs", import.meta.url);
    const db = await connect(path, { engine });
    await db.executescript("CREATE TABLE t (x)");
    await db.execute("INSERT INTO t VALUES (1)");
    await db.commit();
    await db.execute("INSERT INTO t VALUES (2)");
    expect(await Promise.all([db.close(), db.stop()])).toEqual([undefined, undefined]);
    expect(await rejection(db.execute("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    const pool = await createPool(path, { engine });
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await pool.close()).toBe(undefined);
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([1, 3]);
  });

  it("is what the end of a block does", async () => {
    const { db, stored } = await withTable();
    let kept: Connection;
    {
      await using scoped = db;
      kept = scoped;
      await scoped.execute("INSERT INTO t VALUES (1)");
    }
    expect(await rejection(kept.execute("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    expect(stored()).toEqual([]);
  });

  it("ends the thread, though a cursor is half read", async () => {
    const { db, path } = await withTable();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.commit();
    const cursor = await db.execute(NUMBERS);
    await cursor.fetchone();
    await db.close();
    expect(await rejection(cursor.fetchone())).toMatchObject({ message: "Connection closed" });
    // Nothing holds the file any more.
    openEngine(path).exec("BEGIN EXCLUSIVE; DROP TABLE t; COMMIT");
  });

  it("lets go of the write-ahead log", async () => {
    const path = await temporaryPath();
    const db = await open(path, { pragmas: { journal_mode: "WAL" } });
    await db.executescript("CREATE TABLE t (x)");
    await db.close();
    const engine = openEngine(path);
    expect(engine.pragma("journal_mode = DELETE", { simple: true })).toBe("delete");
  });
});

describe("a closed connection", () => {
  it("answers every call with Connection closed", async () => {
    const { db } = await withTable();
    const cursor = await db.cursor();
    const read = await db.execute("SELECT 1");
    const pending = db.close();
    const calls: (() => unknown)[] = [
      () => db.execute("SELECT 1"),
      () => db.execute("SELECT 1", [], { timeout: 5 }),
      () => db.executeFetchall("SELECT 1"),
      () => db.executeInsert("INSERT INTO t VALUES (1)"),
      () => db.executemany("INSERT INTO t VALUES (?)", [[1]]),
      () => db.executescript("SELECT 1"),
      () => db.commit(),
      () => db.rollback(),
      () => db.transaction(() => {}),
      () => db.createFunction("f", 0, () => 1),
      () => db.enableLoadExtension(true),
      () => db.loadExtension("x"),
      () => db.setTraceCallback(() => {}),
      () => db.serialize(),
      () => db.backup("/tmp/never"),
      () => db.iterdump().next(),
      () => cursor.execute("SELECT 1"),
      () => cursor.executemany("INSERT INTO t VALUES (?)", [[1]]),
      () => cursor.executescript("SELECT 1"),
      () => cursor.fetchone(),
    ];
    const onceClosed: (() => unknown)[] = [() => db.cursor(), () => read.fetchall(), () => read.close()];
    const check = async (call: () => unknown): Promise<void> => {
      const error = await rejection(async () => await call());
      expect(error, String(call)).toBeInstanceOf(ConnectionClosedError);
      expect(error, String(call)).toBeInstanceOf(OperationalError);
      expect(error, String(call)).toMatchObject({ message: "Connection closed" });
    };
    await Promise.all(calls.map(check));
    await pending;
    for (const call of [...calls, ...onceClosed]) await check(call);
    await read[Symbol.asyncDispose]();
  });

  it("still tells what it knew last", async () => {
    const { db } = await withTable();
    await db.execute("INSERT INTO t VALUES (1)");
    await db.commit();
    await db.close();
    expect(db.inTransaction).toBe(false);
    expect(db.totalChanges).toBe(1);
  });

  it("is not in a transaction, though it was when it was closed", async () => {
    const { db } = await withTable();
    await db.execute("INSERT INTO t VALUES (1)");
    expect(db.inTransaction).toBe(true);
    await db.close();
    expect(db.inTransaction).toBe(false);
  });
});
