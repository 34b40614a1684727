import { setTimeout as delay } from "node:timers/promises";
import { type Connection, OperationalError, Row } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { type Engine, open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

const BY_KEY = "SELECT id, v FROM t WHERE id = ?";
const OVERFLOWS = -(2n ** 63n);

/** A file with a counter in each of 100 rows, and the reads by key known to be quick. */
async function pair(journalMode: string): Promise<{ db: Connection; other: Engine; path: string }> {
  const path = await temporaryPath();
  const db = await open(path, { isolationLevel: null, setup: tellsOfLocks });
  db.rowFactory = Row;
  await db.executescript(`PRAGMA journal_mode = ${journalMode}; CREATE TABLE t (id INTEGER PRIMARY KEY, v)`);
  await db.executemany(
    "INSERT INTO t VALUES (?, 0)",
    Array.from({ length: 100 }, (_, id) => [id]),
  );
  for (let i = 0; i < 40; i++) {
    await db.executeFetchall(BY_KEY, [1]);
    await db.executeFetchall("SELECT count(*) AS n FROM t");
    await db.executeFetchall("SELECT abs(?) AS x", [1]);
  }
  const other = openEngine(path);
  other.pragma("busy_timeout = 0");
  return { db, other, path };
}

/** The number of reads in one frame. */
function crowd(db: Connection, size = 64): Promise<unknown[][]> {
  return Promise.all(Array.from({ length: size }, (_, i) => db.executeFetchall(BY_KEY, [i])));
}

describe.each(["wal", "delete"])("reads of one tick, journal_mode = %s", (journalMode) => {
  it("see all that was committed before they were asked for", async () => {
    const { db, other } = await pair(journalMode);
    const update = other.prepare("UPDATE t SET v = ?");
    for (let v = 1; v <= 200; v++) {
      update.run(v);
      expect(await crowd(db)).toEqual(Array.from({ length: 64 }, (_, id) => [{ id, v }]));
    }
  });

  it("leave no lock and no transaction behind", async () => {
    const { db, other } = await pair(journalMode);
    for (let i = 0; i < 100; i++) {
      await crowd(db);
      expect(db.inTransaction).toBe(false);
      other.exec("BEGIN EXCLUSIVE; UPDATE t SET v = v + 1; COMMIT");
    }
    await crowd(db);
    // An open snapshot keeps the log from starting over.
    if (journalMode === "wal")
      expect(other.pragma("wal_checkpoint(TRUNCATE)")).toEqual([{ busy: 0, log: 0, checkpointed: 0 }]);
  });

  it("keep their order with the writes between them", async () => {
    const { db } = await pair(journalMode);
    const count = (): Promise<unknown[]> => db.executeFetchall("SELECT count(*) AS n FROM t");
    for (let n = 100; n < 200; n++) {
      const [a, b, , c, d] = await Promise.all([
        count(),
        count(),
        db.execute("INSERT INTO t VALUES (?, 0)", [n]),
        count(),
        count(),
      ]);
      expect([a, b, c, d]).toEqual([[{ n }], [{ n }], [{ n: n + 1 }], [{ n: n + 1 }]]);
    }
  });

  it("fail alone", async () => {
    const { db, other } = await pair(journalMode);
    for (let i = 0; i < 50; i++) {
      const calls = Array.from({ length: 32 }, (_, n) =>
        n % 5 === 2
          ? rejection(db.executeFetchall("SELECT abs(?) AS x", [OVERFLOWS]))
          : db.executeFetchall("SELECT abs(?) AS x", [-1 - n]),
      );
      for (const [n, result] of (await Promise.all(calls)).entries()) {
        if (n % 5 !== 2) expect(result).toEqual([{ x: n + 1 }]);
        else {
          expect(result).toBeInstanceOf(OperationalError);
          expect(result).toMatchObject({ message: "integer overflow", code: "SQLITE_ERROR" });
        }
      }
      expect(db.inTransaction).toBe(false);
      other.exec("BEGIN EXCLUSIVE; COMMIT");
    }
  });
});

it("reads of one tick wait for a lock as each would by itself", async () => {
  const { db, other, path } = await pair("delete");
  other.exec("BEGIN EXCLUSIVE; UPDATE t SET v = 1");
  const reads = crowd(db);
  await db.interrupt();
  await expect(reads).rejects.toMatchObject({ code: "SQLITE_INTERRUPT" });
  const patient = crowd(db);
  await lockMet(path, 2);
  other.exec("COMMIT");
  expect(await patient).toEqual(Array.from({ length: 64 }, (_, id) => [{ id, v: 1 }]));
  expect(db.inTransaction).toBe(false);
});

it("a function that writes elsewhere finds no lock of the reads before it, and the reads behind it see what it wrote", async () => {
  const { db, other } = await pair("delete");
  const write = other.prepare("UPDATE t SET v = ?");
  await db.createFunction("writes", 1, (v: number) => (v === 0 ? 0 : write.run(v).changes));
  for (let i = 0; i < 3; i++) await db.executeFetchall("SELECT writes(?) AS n", [0]);
  for (let v = 1; v <= 50; v++) {
    const [before, written, after] = await Promise.all([
      crowd(db, 20),
      db.executeFetchall("SELECT writes(?) AS n", [v]),
      crowd(db, 20),
    ]);
    expect(before).toEqual(Array.from({ length: 20 }, (_, id) => [{ id, v: v - 1 }]));
    expect(written).toEqual([{ n: 100 }]);
    expect(after).toEqual(Array.from({ length: 20 }, (_, id) => [{ id, v }]));
  }
});

it("reads behind one that has called a function for the first time see what that wrote", async () => {
  const { db, other } = await pair("wal");
  const write = other.prepare("UPDATE t SET v = ?");
  await db.createFunction("writes", 1, (v: number) => write.run(v).changes);
  for (let v = 1; v <= 10; v++) {
    const sometimes = `SELECT CASE WHEN ?1 > 0 THEN writes(?1) END AS n -- ${v}`;
    for (let i = 0; i < 40; i++) await db.executeFetchall(sometimes, [0]);
    const [before, written, after] = await Promise.all([
      crowd(db, 20),
      db.executeFetchall(sometimes, [v]),
      crowd(db, 20),
    ]);
    expect(before).toEqual(Array.from({ length: 20 }, (_, id) => [{ id, v: v - 1 }]));
    expect(written).toEqual([{ n: 100 }]);
    expect(after).toEqual(Array.from({ length: 20 }, (_, id) => [{ id, v }]));
  }
});

describe("reads of one tick beside one that writes by a function of SQLite's own", () => {
  const optimize = "SELECT optimize(f) AS done FROM f LIMIT 1";

  /** With an index in five pieces, which are joined when it is optimized. */
  async function indexed(size: number): Promise<{ db: Connection; other: Engine; segments(): unknown }> {
    const { db, other } = await pair("delete");
    await db.executescript("PRAGMA synchronous = OFF; CREATE VIRTUAL TABLE f USING fts4(x)");
    for (const x of ["a", "b", "c", "d", "e"]) {
      const words = Array.from({ length: size }, (_, i) => `${x.repeat(20)}${i}`);
      await db.execute("INSERT INTO f VALUES (?)", [words.join(" ")]);
      // It is quick while there is nothing to do.
      if (x === "a") for (let i = 0; i < 40; i++) await db.executeFetchall(optimize);
    }
    const segments = (): unknown => other.prepare("SELECT count(*) FROM f_segdir").pluck().get();
    expect(segments()).toBe(5);
    return { db, other, segments };
  }

  const rows = Array.from({ length: 10 }, (_, id) => [{ id, v: 0 }]);

  it("are run again, each by itself, where that meets a lock", async () => {
    const { db, other, segments } = await indexed(1);
    for (let i = 0; i < 40; i++) await (await db.execute("SELECT id FROM t")).close();
    const reader = other.prepare("SELECT id FROM t").iterate();
    reader.next();
    const reads = Promise.all([
      crowd(db, 2),
      db.execute("SELECT id FROM t"),
      db.executeFetchall(optimize),
      db.rollback(),
      crowd(db, 10),
    ]);
    // The lock is met inside of FTS4, which tells nobody.
    await delay(200);
    reader.return!();
    // FTS4 itself leaves its savepoint open if it meets a lock, and then reports that it had nothing to do.
    const optimized = [{ done: expect.stringMatching(/^Index /) }];
    const [before, cursor, done, , after] = await reads;
    expect([before, done, after]).toEqual([rows.slice(0, 2), optimized, rows]);
    expect(await cursor.fetchall()).toHaveLength(100);
    expect(db.inTransaction).toBe(false);
    expect(await db.executeFetchall(optimize)).toMatchObject(optimized);
    expect(segments()).toBe(1);
    // Nothing reads it any more.
    await db.execute("DROP TABLE t");
  });

  it("are run again, each by itself, where that finds the disk full and ends the transaction", async () => {
    const { db, segments } = await indexed(500);
    const [{ page_count }] = (await db.executeFetchall("PRAGMA page_count")) as [{ page_count: number }];
    await db.execute(`PRAGMA max_page_count = ${page_count}`);
    const [before, full, after] = await Promise.allSettled([
      crowd(db, 10),
      db.executeFetchall(optimize),
      crowd(db, 10),
    ]);
    expect(full).toMatchObject({ reason: { code: "SQLITE_FULL" } });
    expect([before, after]).toEqual([rows, rows].map((value) => ({ status: "fulfilled", value })));
    expect([segments(), db.inTransaction]).toEqual([5, false]);
  });
});
