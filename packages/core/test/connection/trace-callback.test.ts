import { setImmediate as turn } from "node:timers/promises";
import { type Connection, SqliteError } from "@sqlite-aio/core";
import { expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

it("a trace callback that throws costs nobody an answer, and gives a warning", async () => {
  const db = await open();
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  onTestFinished(() => void process.off("warning", listen));
  const seen: string[] = [];
  await db.setTraceCallback((sql) => {
    seen.push(sql);
    throw seen.length === 3 ? "just text" : new Error("from the callback");
  });
  const calls = [1, 2, 3].map((x) => db.executeFetchall("SELECT ?", [x]));
  expect(await Promise.all(calls)).toEqual([[[1]], [[2]], [[3]]]);
  expect(seen.length).toBe(3);
  await turn();
  expect(warnings.length).toBe(3);
  expect(warnings[0]).toMatchObject({
    message: "the trace callback threw: from the callback",
    code: "SQLITE_AIO_TRACE_CALLBACK",
  });
  expect(warnings[2]?.message).toBe("the trace callback threw: just text");
});

it("a trace callback is a function, or null to hear no more", async () => {
  const db = await open();
  expect(await rejection(db.setTraceCallback("log" as never))).toMatchObject({
    name: "TypeError",
    message: "the callback must be a function or null",
  });
  const seen: string[] = [];
  await db.setTraceCallback((sql) => seen.push(sql));
  await db.execute("SELECT 1");
  await db.setTraceCallback(null);
  await db.execute("SELECT 2");
  expect(seen).toEqual(["SELECT 1"]);
});

it("has what failed, in its place, also of writes that were committed together", async () => {
  const db = await open(await temporaryPath(), { isolationLevel: null });
  await db.execute("CREATE TABLE t (x UNIQUE)");
  const seen: string[] = [];
  await db.setTraceCallback((sql) => seen.push(sql));
  const texts = [1, 2, 1, 3].map((x) => `INSERT INTO t VALUES (${x})`);
  for (let round = 0; round < 3; round++) {
    await db.execute("DELETE FROM t");
    seen.length = 0;
    const calls = await Promise.allSettled(texts.map((sql) => db.run(sql)));
    expect(calls.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(seen).toEqual(texts);
  }
});

it("a script's statement that cannot be compiled is not told, as in CPython; one that fails later is", async () => {
  const db = await open(":memory:", { isolationLevel: null });
  await db.executescript("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)");
  const seen: string[] = [];
  await db.setTraceCallback((sql) => seen.push(sql));
  for (const [sql, told] of [
    ["SELEC 2", []],
    ["SELECT * FROM nowhere", []],
    ["INSERT INTO t VALUES (1)", ["INSERT INTO t VALUES (1);"]],
    ["SELECT abs(-9223372036854775808)", ["SELECT abs(-9223372036854775808);"]],
  ] as const) {
    seen.length = 0;
    expect(await rejection(db.executescript(`SELECT 1; ${sql}; SELECT 3`))).toBeInstanceOf(SqliteError);
    expect(seen).toEqual(["SELECT 1;", ...told]);
  }
});

/** The trace of `run`, while a lock delays its write for long enough for several attempts. */
async function toldBehindLock<T>(
  run: (db: Connection) => Promise<T>,
): Promise<{ result: T; seen: string[] }> {
  const path = await temporaryPath();
  // It waits: its COMMIT may meet an attempt of the one that is tested.
  const other = openEngine(path, 5000);
  other.exec("CREATE TABLE t (x); BEGIN IMMEDIATE");
  const db = await open(path, { isolationLevel: null, setup: tellsOfLocks });
  const seen: string[] = [];
  await db.setTraceCallback((sql) => seen.push(sql));
  const running = run(db);
  await lockMet(path, 3);
  other.exec("COMMIT");
  return { result: await running, seen };
}

it("a script that waits for a lock in its midst is told of once, each of its statements", async () => {
  const script = "SELECT 1; SELECT 2; INSERT INTO t VALUES (1); SELECT 3";
  const { seen } = await toldBehindLock((db) => db.executescript(script));
  expect(seen).toEqual(["SELECT 1;", "SELECT 2;", "INSERT INTO t VALUES (1);", "SELECT 3"]);
});

it("a statement that is tried again and again, since a lock is in its way, is told once", async () => {
  const { result, seen } = await toldBehindLock((db) => db.execute("INSERT INTO t VALUES (1)"));
  expect(result.rowcount).toBe(1);
  expect(seen).toEqual(["INSERT INTO t VALUES (1)"]);
});
