import { fork } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { OperationalError } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { type Engine, open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";
import { timeFactor } from "../support/time-factor.ts";

const INSERT = "INSERT INTO t (x) VALUES (?)";

/** Longer than any test may take: who waits for so long where nothing is to be waited for fails. */
const HOUR_MS = 3_600_000;

/** A file with a table, and another connection that can lock it. */
async function lockable(journal = "delete"): Promise<{ path: string; other: Engine }> {
  const path = await temporaryPath();
  // It waits: its COMMIT may meet an attempt of the one that is tested.
  const other = openEngine(path, 5000);
  other.exec(
    `PRAGMA journal_mode = ${journal}; CREATE TABLE t (x INTEGER PRIMARY KEY, y); INSERT INTO t VALUES (0, 0)`,
  );
  return { path, other };
}

/** The reason for which `work` is rejected, and after how many milliseconds. */
async function timed(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const began = performance.now();
  return { error: await rejection(work), ms: performance.now() - began };
}

/** better-sqlite3 itself, in a thread: when it is called it waits for the write lock, and gives the code of its error. */
async function stockWaiter(path: string, timeout: number): Promise<() => Promise<string>> {
  const script = new URL("../fixtures/wait-for-lock.mjs", import.meta.url);
  const thread = endsWithTest(new Worker(script, { workerData: { path, timeout } }));
  expect(await once(thread, "message")).toEqual(["ready"]);
  return async () => {
    thread.postMessage("go");
    const [code] = (await once(thread, "message")) as [string];
    return code;
  };
}

it("waits for a write lock, and goes on when it is free", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, setup: tellsOfLocks });
  other.exec("BEGIN IMMEDIATE; INSERT INTO t (x) VALUES (1)");
  let over = false;
  const writing = db.execute(INSERT, [2]).then(() => {
    over = true;
  });
  await lockMet(path, 3);
  expect(over).toBe(false);
  other.exec("COMMIT");
  await writing;
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0], [1], [2]]);
});

it("gives up with SQLITE_BUSY after the timeout, not before and not much later", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: 150 });
  other.exec("BEGIN IMMEDIATE");
  for (const work of [
    () => db.execute(INSERT, [1]),
    () => db.executemany(INSERT, [[1], [2]]),
    () => db.executescript("INSERT INTO t (x) VALUES (1)"),
    () => db.transaction(() => {}, { mode: "immediate" }),
  ]) {
    const { error, ms } = await timed(work());
    expect(error, String(work)).toBeInstanceOf(OperationalError);
    expect(error, String(work)).toMatchObject({
      code: "SQLITE_BUSY",
      message: expect.stringContaining("database is locked"),
    });
    expect(ms, String(work)).toBeGreaterThanOrEqual(140);
  }
  other.exec("COMMIT");
  await db.execute(INSERT, [1]);
});

it("gives up between two of better-sqlite3's own that are told to wait for a shorter and for a longer time", async () => {
  const { path, other } = await lockable();
  other.exec("BEGIN IMMEDIATE");
  const unit = 100 * timeFactor();
  const order: string[] = [];
  const stock = async (name: string, timeout: number): Promise<() => Promise<unknown>> => {
    const go = await stockWaiter(path, timeout);
    return async () => {
      const code = await go();
      order.push(name);
      return code;
    };
  };
  const [shorter, longer] = [await stock("shorter", unit), await stock("longer", 6 * unit)];
  const db = await open(path, { isolationLevel: null, timeout: 3 * unit });
  const ours = async (): Promise<unknown> => {
    const error = await rejection(db.execute(INSERT, [1]));
    order.push("ours");
    return (error as OperationalError).code;
  };
  expect(await Promise.all([shorter(), ours(), longer()])).toEqual([
    "SQLITE_BUSY",
    "SQLITE_BUSY",
    "SQLITE_BUSY",
  ]);
  expect(order).toEqual(["shorter", "ours", "longer"]);
});

it("does not wait at all with a timeout of 0", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: 0 });
  const patient = await stockWaiter(path, 500 * timeFactor());
  other.exec("BEGIN EXCLUSIVE");
  // better-sqlite3 is told to wait for half a second, which is a tenth of what a connection waits without the option.
  const first = await Promise.race([patient(), rejection(db.executeFetchall("SELECT x FROM t"))]);
  expect(first).toMatchObject({ code: "SQLITE_BUSY" });
});

it("gives each statement of a script the whole timeout", async () => {
  // In WAL mode a COMMIT does not wait for readers.
  const { path, other } = await lockable("wal");
  // Each lock goes in time, and all three together do not.
  const unit = 40 * timeFactor();
  const db = await open(path, { isolationLevel: null, timeout: 5 * unit });
  await db.createFunction("lock", 0, () => {
    other.exec("BEGIN IMMEDIATE");
    setTimeout(() => other.exec("COMMIT"), 2 * unit);
    return 1;
  });
  await db.executescript(
    "SELECT lock(); INSERT INTO t (x) VALUES (1); SELECT lock(); INSERT INTO t (x) VALUES (2); SELECT lock(); INSERT INTO t (x) VALUES (3)",
  );
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0], [1], [2], [3]]);
});

it("answers what was called before the call that waits", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null });
  for (let i = 0; i < 5; i++) await db.executeFetchall("SELECT x FROM t");
  other.exec("BEGIN IMMEDIATE");
  const before = db.executeFetchall("SELECT x FROM t");
  const writing = db.execute(INSERT, [1]);
  const after = db.executeFetchall("SELECT x FROM t");
  expect(await before).toEqual([[0]]);
  other.exec("COMMIT");
  await writing;
  expect(await after).toEqual([[0], [1]]);
});

it.each([
  ["reader", "BEGIN; SELECT * FROM t"],
  // The engine itself does not wait for this lock.
  ["writer", "BEGIN IMMEDIATE"],
])("sleeps while it waits for a %s to change the journal mode", async (_, lock) => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: 400 });
  other.exec(lock);
  other.prepare("SELECT * FROM t").all();
  const cpu = process.cpuUsage();
  const { error, ms } = await timed(db.execute("PRAGMA journal_mode = WAL"));
  const { user, system } = process.cpuUsage(cpu);
  expect(error).toMatchObject({ code: "SQLITE_BUSY" });
  expect(ms).toBeGreaterThan(380);
  expect((user + system) / 1000).toBeLessThan(ms / 2);
});

it("answers an abort at once, and is ready for the next call though the lock is still held", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: HOUR_MS, setup: tellsOfLocks });
  other.exec("BEGIN IMMEDIATE");
  for (const work of [
    (options: { signal: AbortSignal }) => db.execute(INSERT, [1], options),
    (options: { signal: AbortSignal }) => db.executemany(INSERT, [[1]], options),
    (options: { signal: AbortSignal }) => db.executescript("INSERT INTO t (x) VALUES (1)", options),
    (options: { signal: AbortSignal }) => db.transaction(() => {}, { mode: "immediate", ...options }),
  ]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = rejection(work({ signal: controller.signal }));
    await lockMet(path);
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0]]);
  }
  other.exec("COMMIT");
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0]]);
});

it("answers interrupt() and a call's own timeout while it waits", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: HOUR_MS, setup: tellsOfLocks });
  other.exec("BEGIN IMMEDIATE");
  const waiting = [
    rejection(db.execute(INSERT, [1])),
    rejection(db.transaction(() => {}, { mode: "immediate" })),
    rejection(db.executeInsert(INSERT, [2])),
  ];
  await lockMet(path);
  await db.interrupt();
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_INTERRUPT" });
  }
  const began = rejection(db.transaction(() => {}, { mode: "immediate" }));
  await lockMet(path);
  await db.interrupt();
  expect(await began).toMatchObject({ name: "OperationalError", code: "SQLITE_INTERRUPT" });
  const error = await rejection(db.execute(INSERT, [3], { timeout: 40 }));
  expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_INTERRUPT" });
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0]]);
  expect(db.inTransaction).toBe(false);
});

it("closes soon once what waits for a lock is given up", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { isolationLevel: null, timeout: HOUR_MS, setup: tellsOfLocks });
  other.exec("BEGIN IMMEDIATE");
  const waiting = rejection(db.execute(INSERT, [1]));
  await lockMet(path);
  await db.interrupt();
  await db.close();
  expect(await waiting).toMatchObject({ code: "SQLITE_INTERRUPT" });
});

it("answers at once where two readers both want to write, since waiting would never end", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { timeout: HOUR_MS });
  const error = await rejection(
    db.transaction(async (tx) => {
      await tx.executeFetchall("SELECT x FROM t");
      other.exec("BEGIN; UPDATE t SET y = 1");
      await tx.execute("UPDATE t SET y = 2");
    }),
  );
  expect(error).toMatchObject({ code: "SQLITE_BUSY" });
  expect(db.inTransaction).toBe(false);
  other.exec("COMMIT");
  await db.transaction((tx) => tx.execute("UPDATE t SET y = 3"));
  expect(other.prepare("SELECT y FROM t").pluck().get()).toBe(3);
});

it("answers at once where a half-read cursor of its own is what the other waits for", async () => {
  const { path, other } = await lockable();
  const db = await open(path, { timeout: HOUR_MS, isolationLevel: null, iterChunkSize: 1 });
  await db.executemany(INSERT, [[1], [2], [3]]);
  const cursor = await db.execute("SELECT x FROM t");
  expect(await cursor.fetchone()).toEqual([0]);
  other.exec("BEGIN; UPDATE t SET y = 1");
  const error = await rejection(db.execute("UPDATE t SET y = 2"));
  expect(error).toMatchObject({ code: "SQLITE_BUSY" });
  await cursor.close();
  other.exec("COMMIT");
  await db.execute("UPDATE t SET y = 2");
});

it("answers SQLITE_BUSY_SNAPSHOT at once: only the whole transaction can be run again", async () => {
  const { path, other } = await lockable("wal");
  const db = await open(path, { timeout: HOUR_MS });
  const attempt = (meanwhile: () => void): Promise<void> =>
    db.transaction(async (tx) => {
      const [[y]] = (await tx.executeFetchall("SELECT y FROM t")) as [[number]];
      meanwhile();
      await tx.execute("UPDATE t SET y = ?", [y + 1]);
    });
  const error = await rejection(attempt(() => other.exec("UPDATE t SET y = 10")));
  expect(error).toBeInstanceOf(OperationalError);
  expect(error).toMatchObject({ code: "SQLITE_BUSY_SNAPSHOT" });
  await attempt(() => {});
  expect(other.prepare("SELECT y FROM t").pluck().get()).toBe(11);
});

it("answers SQLITE_BUSY_SNAPSHOT at once where a half-read cursor of its own holds an older snapshot", async () => {
  const { path, other } = await lockable("wal");
  const db = await open(path, { timeout: HOUR_MS, isolationLevel: null, iterChunkSize: 1 });
  await db.executemany(INSERT, [[1], [2], [3]]);
  const cursor = await db.execute("SELECT x FROM t");
  expect(await cursor.fetchone()).toEqual([0]);
  other.exec("UPDATE t SET y = 1");
  const error = await rejection(db.execute("UPDATE t SET y = y + 1"));
  expect(error).toMatchObject({ code: "SQLITE_BUSY_SNAPSHOT" });
  await cursor.close();
  await db.execute("UPDATE t SET y = y + 1");
  expect(other.prepare("SELECT DISTINCT y FROM t").pluck().all()).toEqual([2]);
});

it("takes the lock of another process that was killed", async () => {
  const { path } = await lockable();
  const db = await open(path, { isolationLevel: null, setup: tellsOfLocks });
  const holder = endsWithTest(fork(new URL("../fixtures/hold-lock.mjs", import.meta.url), [path]));
  await once(holder, "message");
  let over = false;
  const writing = db.execute(INSERT, [2]).then(() => {
    over = true;
  });
  await lockMet(path);
  expect(over).toBe(false);
  holder.kill("SIGKILL");
  await writing;
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0], [2]]);
});
