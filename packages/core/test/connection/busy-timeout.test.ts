import { expect, it } from "vitest";
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
