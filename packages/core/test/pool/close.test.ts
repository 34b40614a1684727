import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
import {
  ConnectionClosedError,
  createPool,
  type Pool,
  type PoolOptions,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { canLink, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import {
  counted,
  filledPool,
  holds,
  openPool,
  outcomes,
  poolFunctions,
  slowModule,
  until,
} from "../support/pool-support.ts";

async function filled(options: PoolOptions = {}, path?: string): Promise<Pool> {
  const pool = await filledPool(1, { readers: 2, ...options }, path);
  await pool.get("SELECT 1");
  return pool;
}

function everyCall(pool: Pool): [string, () => Promise<unknown>][] {
  return [
    ["run", () => pool.run("INSERT INTO t VALUES (9)")],
    ["get", () => pool.get("SELECT 1")],
    ["all", () => pool.all("SELECT 1")],
    ["execute", () => pool.execute("SELECT 1")],
    ["iterate", () => pool.iterate("SELECT 1").next()],
    ["exec", () => pool.exec("SELECT 1")],
    ["transaction", () => pool.transaction(() => 1)],
    ["read", () => pool.read(() => 1)],
    ["acquire", () => pool.acquire()],
    ["createFunction", () => pool.createFunction("f", 0, () => 1)],
  ];
}

/** Writes and closes as `name`, while `path` is open elsewhere: what is in the log before and after, and the rows. */
async function closedBeside(
  path: string,
  name: string,
): Promise<{ full: boolean; log: number; rows: unknown }> {
  const pool = await filled({}, name);
  const other = openEngine(path);
  const rows = other.prepare("SELECT count(*) FROM t").pluck();
  expect(rows.get()).toBe(1);
  for (let i = 0; i < 20; i++) await pool.run("INSERT INTO t VALUES (zeroblob(5000))");
  const full = statSync(`${path}-wal`).size > 100_000;
  await pool.close();
  return { full, log: statSync(`${path}-wal`).size, rows: rows.get() };
}

describe("close()", () => {
  it("takes no further calls, finishes those that were made, and ends every thread", async () => {
    const { alive, createWorker } = counted();
    const path = await temporaryPath();
    const pool = await filled({ createWorker }, path);
    const conn = await pool.acquire();
    const pending = outcomes([
      pool.run("INSERT INTO t VALUES (2)"),
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t VALUES (3)");
        return await tx.transaction((nested) => nested.get("SELECT count(*) AS n FROM t"));
      }),
      pool.get("SELECT a FROM t"),
      pool.read(async (tx) => [await tx.get("SELECT 1 AS one"), await tx.get("SELECT 2 AS two")]),
      pool.exec("INSERT INTO t VALUES (4)"),
      pool.acquire().then(async (lease) => {
        await lease.execute("INSERT INTO t VALUES (5)");
        await lease.commit();
        await lease.close();
      }),
    ]);
    const closed = pool.close();
    for (const [name, call] of everyCall(pool)) {
      const error = await rejection(call);
      expect(error, name).toBeInstanceOf(ConnectionClosedError);
      expect(error, name).toMatchObject({ message: "Pool closed", code: "SQLITE_AIO_CLOSED" });
    }
    // The lease goes on until it is given back.
    await conn.execute("INSERT INTO t VALUES (6)");
    await conn.commit();
    await conn.close();
    expect(await pending).toEqual([
      { changes: 1, lastInsertRowid: 3 },
      { n: 4 },
      { a: 1 },
      [{ one: 1 }, { two: 2 }],
      undefined,
      undefined,
    ]);
    await closed;
    expect(alive()).toBe(0);
    expect(pool.stats()).toMatchObject({ writers: 0, readers: 0, pending: 0, waiting: 0 });
    expect(openEngine(path).prepare("SELECT a FROM t").pluck().all().length).toBe(6);
  });

  it("a second time is the first, at once and later", async () => {
    const pool = await filled();
    await Promise.all([pool.close(), pool.close(), pool.close({ timeout: 1 }), pool[Symbol.asyncDispose]()]);
    await pool.close();
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });

  it("happens at the end of `await using`", async () => {
    const path = await temporaryPath();
    let kept: Pool;
    {
      await using pool = await createPool(path);
      kept = pool;
      await pool.run("CREATE TABLE t (a)");
    }
    expect(await rejection(kept.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it("empties the log, also where another process keeps it open", async () => {
    const path = await temporaryPath();
    expect(await closedBeside(path, path)).toEqual({ full: true, log: 0, rows: 21 });
  });

  it.runIf(canLink("file"))(
    "empties the log, also where another process keeps it open: by a link",
    async () => {
      const path = await temporaryPath();
      symlinkSync(path, `${path}.link`);
      expect(await closedBeside(path, `${path}.link`)).toEqual({ full: true, log: 0, rows: 21 });
    },
  );

  it("leaves an empty log alone, as after a pool that has only read", async () => {
    const path = await temporaryPath();
    await (await filled({}, path)).close();
    const told = `${path}.told`;
    const module = `import { appendFileSync } from "node:fs";
      export default (db) => {
        const { prepare } = db;
        db.prepare = function (sql) {
          if (sql.includes("wal_checkpoint")) appendFileSync(${JSON.stringify(told)}, sql);
          return prepare.call(this, sql);
        };
      }`;
    const setup = new URL(`data:text/javascript,${encodeURIComponent(module)}`);
    for (const writes of [false, true]) {
      const pool = await createPool(path, { setup, readers: 0 });
      expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1 });
      if (writes) await pool.run("INSERT INTO t VALUES (2)");
      await pool.close();
      expect(existsSync(told)).toBe(writes);
    }
    expect(readFileSync(told, "utf8")).toBe("PRAGMA wal_checkpoint(TRUNCATE)");
  });

  it("leaves the log to whoever looks after it", async () => {
    const path = await temporaryPath();
    const pool = await filled({ checkpoint: "external" }, path);
    const other = openEngine(path);
    other.prepare("SELECT count(*) FROM t").get();
    for (let i = 0; i < 1100; i++) void pool.run("INSERT INTO t VALUES (zeroblob(5000))");
    await pool.close();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(5_000_000);
    expect(other.pragma("wal_checkpoint")).toMatchObject([{ busy: 0 }]);
  });

  it("rejects a wrong timeout, and goes on as if nothing had been asked", async () => {
    const pool = await filled();
    expect(await rejection(pool.close({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.close({ timeout: "soon" as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.close(null as never))).toBeInstanceOf(TypeError);
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });
});

describe("at the deadline of close()", () => {
  const closed = { name: "ConnectionClosedError", code: "SQLITE_AIO_CLOSED" };

  it("a lease, and the line behind it, reject; giving it back does no harm", async () => {
    const { alive, createWorker } = counted();
    const path = await temporaryPath();
    const pool = await filled({ createWorker }, path);
    const conn = await pool.acquire();
    await conn.execute("INSERT INTO t VALUES (2)");
    const reader = await pool.acquire({ mode: "read" });
    const waiting = outcomes([
      pool.run("INSERT INTO t VALUES (3)"),
      pool.transaction(() => 1),
      pool.acquire(),
      pool.exec("INSERT INTO t VALUES (4)"),
    ]);
    await pool.close({ timeout: 30 });
    expect(await waiting).toMatchObject([closed, closed, closed, closed]);
    for (const lease of [conn, reader]) {
      expect(await rejection(lease.executeFetchall("SELECT 1"))).toMatchObject(closed);
      await lease.close();
      await pool.release(lease);
    }
    await until(() => alive() === 0);
    expect(openEngine(path).prepare("SELECT a FROM t").pluck().all()).toEqual([1]);
  });

  it("callbacks that never return reject, and so do loops that do not go on", async () => {
    const { alive, createWorker } = counted();
    const pool = await filled({ createWorker, readers: 2 });
    const begun = [gate(), gate()];
    const never = outcomes([
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t VALUES (2)");
        begun[0]!.open();
        await new Promise(() => {});
      }),
      pool.read(async () => {
        begun[1]!.open();
        await new Promise(() => {});
      }),
    ]);
    const rows = pool.iterate("SELECT t.a FROM t, (VALUES (1), (2))");
    await rows.next();
    for (const { opened } of begun) await opened;
    await pool.close({ timeout: 30 });
    expect(await never).toMatchObject([closed, closed]);
    await rows.return?.();
    await until(() => alive() === 0);
  });

  it("a statement that runs is not waited for, and its caller is told", async () => {
    const pool = await filled();
    const held = await holds(pool);
    const running = outcomes([
      pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]),
      pool.run("INSERT INTO t VALUES (3)"),
      pool.get("SELECT hold(?)", [held.name(1)]),
    ]);
    await held.entered(0);
    await held.entered(1);
    // They are held beyond that.
    await pool.close({ timeout: 30 });
    expect(await running).toMatchObject([closed, closed, closed]);
    await held.release(0);
    await held.release(1);
  });

  it("a function that is not defined everywhere rejects", async () => {
    const pool = await filled({ readers: 1 });
    const held = await holds(pool);
    const running = outcomes([pool.get("SELECT hold(?)", [held.name(0)])]);
    await held.entered(0);
    const defined = outcomes([pool.createFunction("f", 0, () => 1)]);
    await pool.close({ timeout: 30 });
    expect([...(await running), ...(await defined)]).toMatchObject([closed, closed]);
    await held.release(0);
  });

  it("a statement that turned out to write, and was on its way to the writer, rejects", async () => {
    const { alive, createWorker } = counted();
    const pool = await filled({ createWorker, readers: 1 });
    const reader = (): number => pool.stats().threads.find(({ role }) => role === "reader")!.executed;
    const late = await slowModule();
    const defined = outcomes([pool.createFunction("late", 0, late.url)]);
    const before = reader();
    // The reader is given back when it has the function, which the writer loads first.
    const rows = outcomes([pool.iterate("INSERT INTO t VALUES (2) RETURNING a").next()]);
    await until(() => reader() >= before + 2);
    await pool.close({ timeout: 0 });
    expect(await rows).toMatchObject([{ ...closed, message: "Pool closed" }]);
    expect(await defined).toMatchObject([closed]);
    await until(() => alive() === 0);
  });

  it("a write that is done is answered, although the time is up", async () => {
    const path = await temporaryPath();
    const engine = openEngine(path);
    engine.exec("PRAGMA journal_mode = wal; CREATE TABLE t (id)");
    const there = engine.prepare("SELECT count(*) FROM t WHERE id = ?").pluck();
    // Without the wait for answers, every second of these is rejected though it is written.
    for (let id = 0; id < 40; id++) {
      const pool = await createPool(path, { readers: 0 });
      const answer = pool.run("INSERT INTO t VALUES (?)", [id]).then(
        () => 1,
        () => 0,
      );
      await new Promise(setImmediate);
      // The loop is busy for up to 2 ms, in which the thread writes.
      for (const since = performance.now(); performance.now() - since < id * 0.05; );
      await pool.close({ timeout: 0 });
      expect([id, there.get(id)]).toEqual([id, await answer]);
    }
  });

  it("a BEGIN that waits for another's lock, and one behind it, are told that the pool is closed", async () => {
    const path = await temporaryPath();
    const pool = await filled({}, path);
    const other = openEngine(path);
    other.exec("BEGIN IMMEDIATE");
    const begun = outcomes([
      pool.transaction(() => 1),
      pool.transaction(() => 2),
      pool.transaction(() => 3, { mode: "exclusive", retries: 5 }),
    ]);
    await until(() => pool.stats().threads[0]?.heldBy === "transaction()");
    await pool.close({ timeout: 0 });
    expect(await begun).toMatchObject([closed, closed, closed]);
    other.exec("ROLLBACK");
  });

  it("of 0 ms nothing is waited for", async () => {
    const pool = await filled();
    // Only the close ends these: a lease, and a call that waits for it.
    const lease = await pool.acquire();
    const calls = outcomes([pool.run("INSERT INTO t VALUES (2)"), pool.acquire()]);
    await pool.close({ timeout: 0 });
    for (const result of await calls) expect(result).toMatchObject(closed);
    expect(await rejection(lease.executeFetchall("SELECT 1"))).toMatchObject(closed);
    expect(await rejection(pool.get("SELECT 1"))).toMatchObject(closed);
  });
});

describe("close() while a connection is being opened", () => {
  it("serves whoever waits for it, and leaves no thread behind", async () => {
    const { alive, createWorker } = counted();
    const pool = await openPool({ readers: 3, createWorker });
    const reads = [pool.get("SELECT 1 AS n"), pool.get("SELECT 2 AS n"), pool.get("SELECT 3 AS n")];
    await pool.close();
    expect(await Promise.all(reads)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(alive()).toBe(0);
  });

  it("leaves no thread behind where the deadline is over before", async () => {
    const { alive, createWorker } = counted();
    for (const timeout of [0, 1, 5, 20]) {
      const pool = await openPool({ readers: 3, createWorker });
      const reads = outcomes([pool.get("SELECT 1 AS n"), pool.get("SELECT 2 AS n")]);
      await pool.close({ timeout });
      for (const result of await reads) {
        if (result instanceof Error) expect(result).toBeInstanceOf(ConnectionClosedError);
        else expect(result).toMatchObject({ n: expect.any(Number) });
      }
      await until(() => alive() === 0);
    }
  });

  it("does not wait for an onConnect that never ends", async () => {
    const { alive, createWorker } = counted();
    let calls = 0;
    const pool = await openPool({
      createWorker,
      onConnect: () => (calls++ === 0 ? undefined : new Promise(() => {})),
    });
    const read = outcomes([pool.get("SELECT 1")]);
    await until(() => calls === 2);
    await pool.close({ timeout: 30 });
    expect(await read).toMatchObject([{ name: "ConnectionClosedError" }]);
    await until(() => alive() === 0);
  });

  it("does not wait for a setup that never ends, nor does an opening that is given up", async () => {
    const { alive, createWorker } = counted();
    const setup = new URL("../fixtures/setup-hangs.mjs", import.meta.url);
    const path = await temporaryPath();
    const pool = await openPool({ createWorker, setup, readers: 2 }, path);
    await pool.run("CREATE TABLE t (a)");
    const reads = outcomes([pool.get("SELECT 1"), pool.read(() => 1)]);
    await pool.close({ timeout: 30 });
    expect(await reads).toMatchObject([{ message: "Pool closed" }, { message: "Pool closed" }]);
    await until(() => alive() === 0);
    const controller = new AbortController();
    const opening = createPool(path, { createWorker, setup, readonly: true, signal: controller.signal });
    const reason = new Error("no longer wanted");
    const given = rejection(opening);
    await until(() => alive() === 1);
    controller.abort(reason);
    expect(await given).toBe(reason);
    await until(() => alive() === 0);
  });

  it("goes on when a thread dies meanwhile: what had not begun is run by its replacement", async () => {
    const { alive, createWorker } = counted();
    const path = await temporaryPath();
    const pool = await filled({ createWorker, groupCommit: false }, path);
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    const calls = outcomes([
      pool.run("INSERT INTO t SELECT exit_if(1)"),
      pool.run("INSERT INTO t VALUES (2)"),
      pool.transaction((tx) => tx.run("INSERT INTO t VALUES (3)")),
      pool.get("SELECT exit_if(1)"),
    ]);
    await pool.close();
    const [first, second, third, fourth] = await calls;
    expect(first).toBeInstanceOf(WorkerCrashedError);
    expect([second, third]).toMatchObject([{ changes: 1 }, { changes: 1 }]);
    expect(fourth).toBeInstanceOf(WorkerCrashedError);
    expect(openEngine(path).prepare("SELECT a FROM t ORDER BY a").pluck().all()).toEqual([1, 2, 3]);
    expect(alive()).toBe(0);
  });
});

it("close() does not mind threads that die under it", async () => {
  const workers: Worker[] = [];
  const pool = await filled({
    createWorker: (url, options) => {
      const worker = new Worker(url, options);
      workers.push(worker);
      return worker;
    },
  });
  const ended = workers.map((worker) => worker.terminate());
  await pool.close();
  await Promise.all(ended);
  expect(pool.stats()).toMatchObject({ readers: 0, writers: 0, pending: 0 });
  expect(workers).toHaveLength(2);
});

it("an idle pool keeps no process alive, but work that is under way does", async () => {
  const path = await temporaryPath();
  const child = endsWithTest(fork(new URL("../fixtures/idle-pool.mjs", import.meta.url), [path]));
  const messages: unknown[] = [];
  child.on("message", (message) => messages.push(message));
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(messages).toEqual(["done"]);
  expect(openEngine(path).prepare("SELECT a FROM t ORDER BY a").pluck().all()).toEqual([1, 2, 3]);
});
