import { expect, it } from "vitest";
import { openPool } from "../support/pool-support.ts";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

it("PRAGMA busy_timeout reads how long the connection waits, and sets it", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("CREATE TABLE t (a)");
  const db = await open(path, { isolationLevel: null, timeout: 60_000, setup: tellsOfLocks });
  const read = async (): Promise<unknown> => (await db.executeFetchall("PRAGMA busy_timeout"))[0];
  const cursor = await db.execute("PRAGMA busy_timeout");
  expect(cursor.description?.map(([name]) => name)).toEqual(["timeout"]);
  expect(await cursor.fetchall()).toEqual([[60_000]]);
  expect(await db.executeFetchall("PRAGMA busy_timeout = 1")).toEqual([[1]]);
  expect(await read()).toEqual([1]);
  other.exec("BEGIN IMMEDIATE");
  // Not after a minute.
  expect(await rejection(db.execute("INSERT INTO t VALUES (1)"))).toMatchObject({ code: "SQLITE_BUSY" });
  for (const [text, value] of [
    ["PRAGMA main.busy_timeout(40000)", 40_000],
    ["PRAGMA busy_timeout = 20", 20],
    ["EXPLAIN PRAGMA busy_timeout = 70", 70],
    ["PRAGMA busy_timeout = -5", 0],
  ] as const) {
    await db.executeFetchall(text);
    if (!text.startsWith("EXPLAIN")) expect(await read(), text).toEqual([value]);
  }
  await db.executescript("PRAGMA busy_timeout = 30000; SELECT 1");
  expect(await read()).toEqual([30_000]);
  // It waits for the lock now, and can be given up meanwhile.
  const controller = new AbortController();
  const reason = new Error("no longer wanted");
  const waits = db.execute("INSERT INTO t VALUES (1)", [], { signal: controller.signal });
  waits.catch(() => {});
  await lockMet(path, 2);
  controller.abort(reason);
  expect(await rejection(waits)).toBe(reason);
  other.exec("ROLLBACK");
});

it("PRAGMA busy_timeout of the options holds, too", async () => {
  const db = await open(":memory:", { timeout: 5000, pragmas: { busy_timeout: 123 } });
  expect(await db.executeFetchall("PRAGMA busy_timeout")).toEqual([[123]]);
});

it("can be set beside a cursor that is half read", async () => {
  const db = await open(":memory:", { iterChunkSize: 1, timeout: 4000 });
  const cursor = await db.execute("VALUES (1), (2), (3)");
  expect(await cursor.fetchone()).toEqual([1]);
  expect(await db.executeFetchall("PRAGMA busy_timeout = 70")).toEqual([[70]]);
  await db.executescript("PRAGMA busy_timeout = 80");
  expect(await db.executeFetchall("PRAGMA busy_timeout")).toEqual([[80]]);
  expect(await db.executeFetchall("SELECT timeout FROM pragma_busy_timeout")).toEqual([[80]]);
  expect(await cursor.fetchall()).toEqual([[2], [3]]);
});

it("is read as a table, too, however a statement is run and whatever stands around it", async () => {
  const db = await open(await temporaryPath(), { timeout: 4321, isolationLevel: null });
  const read = async (sql: string): Promise<unknown> => await db.executeFetchall(sql);
  const list = "SELECT value, timeout FROM json_each('[1,2,3]') CROSS JOIN pragma_busy_timeout";
  // The second and third time it is known to be quick.
  for (let i = 0; i < 3; i++) {
    const all = await Promise.all([
      read("SELECT timeout FROM pragma_busy_timeout"),
      read("SELECT (SELECT timeout FROM main.[PRAGMA_busy_timeout]) + 1"),
      read("WITH b AS MATERIALIZED (SELECT * FROM pragma_busy_timeout) SELECT * FROM b"),
      read("PRAGMA busy_timeout"),
    ]);
    expect(all).toEqual([[[4321]], [[4322]], [[4321]], [[4321]]]);
  }
  const cursor = await db.execute(list);
  expect(await cursor.fetchone()).toEqual([1, 4321]);
  expect(await read("PRAGMA busy_timeout = 99")).toEqual([[99]]);
  // It is the answer of when it was asked.
  expect(await cursor.fetchall()).toEqual([
    [2, 4321],
    [3, 4321],
  ]);
  const ask = "INSERT INTO t SELECT timeout + ? FROM pragma_busy_timeout";
  await db.executescript(
    "CREATE TABLE t AS SELECT timeout FROM pragma_busy_timeout; INSERT INTO t SELECT timeout FROM pragma_busy_timeout",
  );
  await db.executemany(ask, [[1], [2]]);
  expect(await db.executeFetchall(`${ask} RETURNING timeout`, [3])).toEqual([[102]]);
  expect(await read("SELECT * FROM t")).toEqual([[99], [99], [100], [101], [102]]);
});

it("is read as a table on every connection of a pool, among other calls of a tick", async () => {
  const pool = await openPool({ timeout: 4321, readers: 1 });
  await pool.exec("CREATE TABLE t (a)");
  const ask = "SELECT timeout FROM pragma_busy_timeout";
  const answer = { timeout: 4321 };
  for (let i = 0; i < 3; i++) {
    expect(await Promise.all([pool.get("SELECT 1"), pool.get(ask), pool.all(ask), pool.get(ask)])).toEqual([
      { "1": 1 },
      answer,
      [answer],
      answer,
    ]);
    const write = `INSERT INTO t ${ask}`;
    await Promise.all([pool.run("INSERT INTO t VALUES (4321)"), pool.run(write), pool.run(write)]);
  }
  expect(await pool.all("SELECT DISTINCT a FROM t")).toEqual([{ a: 4321 }]);
  await pool.transaction(async (tx) => {
    expect(await Promise.all([tx.get(ask), tx.get(ask), tx.all(ask)])).toEqual([answer, answer, [answer]]);
    expect(await tx.get(ask)).toEqual(answer);
  });
});

it("a statement that reads it as a table waits for a lock as long as it says, and no longer", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("CREATE TABLE t (a)");
  const db = await open(path, { timeout: 400, isolationLevel: null });
  other.exec("BEGIN IMMEDIATE");
  const waited = async (sql: string): Promise<number> => {
    const began = performance.now();
    expect(await rejection(db.execute(sql))).toMatchObject({ code: "SQLITE_BUSY" });
    return performance.now() - began;
  };
  const plain = await waited("INSERT INTO t VALUES (1)");
  expect((await waited("INSERT INTO t SELECT timeout FROM pragma_busy_timeout")) / plain).toBeLessThan(1.7);
  other.exec("ROLLBACK");
  expect(await db.executeFetchall("SELECT timeout FROM pragma_busy_timeout")).toEqual([[400]]);
});
