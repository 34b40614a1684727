import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  type Connection,
  IntegrityError,
  type Pool,
  type PoolOptions,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { holds, openPool, outcomes, poolFunctions, until } from "../support/pool-support.ts";
import { timeFactor } from "../support/time-factor.ts";

/** A pool with a function that ends the thread when its argument is true. */
async function fragile(options: PoolOptions = {}, path?: string): Promise<Pool> {
  const pool = await openPool({ readers: 2, ...options }, path);
  await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)");
  await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
  return pool;
}

/** Threads that the test can end from outside. */
function threads(): { workers: Worker[]; createWorker: NonNullable<PoolOptions["createWorker"]> } {
  const workers: Worker[] = [];
  return {
    workers,
    createWorker: (url, options) => {
      const worker = new Worker(url, options);
      workers.push(worker);
      return worker;
    },
  };
}

async function whole(pool: Pool): Promise<void> {
  await until(() => pool.stats().writers === 1 && pool.stats().pending === 0);
}

it(
  "process.exit in 1% of 4,000 operations: every promise settles, and no row is half done",
  async () => {
    const pool = await fragile({ pragmas: { synchronous: "OFF" }, acquireTimeout: 0 });
    await pool.exec(
      "CREATE TRIGGER half AFTER INSERT ON t BEGIN UPDATE t SET b = new.a WHERE id = new.id; END",
    );
    const exits = (i: number): number => Number(i % 100 === 50);
    const operate = (i: number): Promise<unknown> => {
      const sql = "INSERT INTO t (id, a, b) SELECT ?1, ?1, exit_if(?2)";
      if (i % 5 === 0) return pool.get("SELECT ?1 AS i, exit_if(?2) AS zero", [i, exits(i)]);
      if (i % 25 === 1) {
        return pool.transaction(async (tx) => {
          await tx.run("INSERT INTO t (id, a) VALUES (?, ?)", [1_000_000 + i, i]);
          await tx.run(sql, [i, exits(i)]);
        });
      }
      return pool.run(sql, [i, exits(i)]);
    };
    const results: unknown[] = [];
    // Some thousands at once would all be with the thread that dies first; the others only would be run again.
    for (let from = 0; from < 4000; from += 100) {
      results.push(...(await outcomes(Array.from({ length: 100 }, (_, i) => operate(from + i)))));
    }
    const rows = await pool.all<{ id: number; a: number; b: number }>("SELECT id, a, b FROM t");
    const stored = new Map(rows.map((row) => [row.id, row]));
    let unknown = 0;
    for (const [i, result] of results.entries()) {
      const reads = i % 5 === 0;
      if (result instanceof Error) {
        // Only what had begun is rejected; the rest was run on the replacement.
        expect(result, String(i)).toBeInstanceOf(WorkerCrashedError);
        expect(result).toMatchObject({ outcome: "unknown", code: "SQLITE_AIO_CRASHED" });
        unknown++;
      } else if (reads) expect(result).toEqual({ i, zero: 0 });
      else expect(stored.has(i), String(i)).toBe(true);
      if (exits(i) === 1) {
        expect(result, String(i)).toBeInstanceOf(WorkerCrashedError);
        expect(stored.has(i)).toBe(false);
      }
      // Both rows of a transaction, or none.
      if (i % 25 === 1) expect(stored.has(i), String(i)).toBe(stored.has(1_000_000 + i));
    }
    for (const { id, a, b } of rows)
      expect({ id, a, b }).toEqual({ id, a: id % 1_000_000, b: id % 1_000_000 });
    expect(unknown).toBeGreaterThanOrEqual(40);
    expect(pool.stats().respawned).toBeGreaterThanOrEqual(40);
    expect(await pool.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
  },
  60_000 * timeFactor(),
);

describe("a thread that dies", () => {
  it("is replaced within a second, by one thread and no more", async () => {
    const { workers, createWorker } = threads();
    const pool = await fragile({ createWorker });
    await pool.get("SELECT 1");
    for (let i = 0; i < 3; i++) {
      for (const role of ["writer", "reader"] as const) {
        const crash =
          role === "writer" ? pool.run("INSERT INTO t (a) SELECT exit_if(1)") : pool.get("SELECT exit_if(1)");
        // A waiting call also requests a connection.
        const transaction = pool.transaction((tx) => tx.run("INSERT INTO t (a) VALUES (1)"));
        expect(await rejection(crash)).toBeInstanceOf(WorkerCrashedError);
        await transaction;
        await until(() => pool.stats().writers + pool.stats().readers === 2);
      }
    }
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 1, respawned: 6 });
    expect(workers).toHaveLength(2 + 6);
  });

  it("rejects the calls it had begun, and those behind them are run by its replacement, in their order", async () => {
    const pool = await fragile({ groupCommit: false });
    const results = await outcomes([
      pool.run("INSERT INTO t (a) VALUES (1)"),
      pool.run("INSERT INTO t (a) SELECT exit_if(1)"),
      ...Array.from({ length: 50 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [10 + i])),
    ]);
    expect(results[1]).toMatchObject({ name: "WorkerCrashedError", outcome: "unknown" });
    expect((results[1] as Error).stack).toContain("crash.test.ts");
    for (const result of results.slice(2)) expect(result).toMatchObject({ changes: 1 });
    const rows = await pool.all<{ a: number }>("SELECT a FROM t WHERE a >= 10 ORDER BY id");
    expect(rows.map(({ a }) => a)).toEqual(Array.from({ length: 50 }, (_, i) => 10 + i));
    expect(pool.stats().respawned).toBe(1);
  });

  it("in a group: what was in the same transaction is undone, and its callers are told that they cannot know", async () => {
    const pool = await fragile();
    await pool.run("INSERT INTO t (a) VALUES (?)", [0]);
    const results = await outcomes([
      ...Array.from({ length: 10 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [1 + i])),
      pool.run("INSERT INTO t (a) SELECT exit_if(?)", [1]),
      ...Array.from({ length: 10 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [101 + i])),
    ]);
    const rows = await pool.all<{ a: number }>("SELECT a FROM t WHERE a > 0 ORDER BY a");
    const stored = new Set(rows.map(({ a }) => a));
    for (const [i, result] of results.entries()) {
      const a = i < 10 ? 1 + i : 90 + i;
      if (result instanceof Error) expect(result).toMatchObject({ outcome: "unknown" });
      else expect(stored.has(a), String(a)).toBe(true);
    }
    expect(stored.size).toBe(results.filter((result) => !(result instanceof Error)).length);
    for (const result of results.slice(11)) expect(result).toMatchObject({ changes: 1 });
  });

  it("comes back with its pragmas, its functions and what onConnect does", async () => {
    let connected = 0;
    const pool = await fragile({
      pragmas: { cache_size: -777 },
      onConnect: async (conn) => {
        connected++;
        await conn.execute("CREATE TEMP TABLE mine AS SELECT 'set up' AS what");
        await conn.createFunction("hello", 0, () => "hello");
      },
    });
    await pool.createFunction("later", 0, () => "later");
    const question =
      "SELECT (SELECT what FROM mine) AS what, hello() AS hello, later() AS later, exit_if(0) AS zero";
    const answer = { what: "set up", hello: "hello", later: "later", zero: 0 };
    expect(await pool.get(question)).toEqual(answer);
    const before = connected;
    for (let i = 0; i < 3; i++) {
      expect(await rejection(pool.get("SELECT exit_if(1)"))).toBeInstanceOf(WorkerCrashedError);
      expect(await rejection(pool.run("INSERT INTO t (a) SELECT exit_if(1)"))).toBeInstanceOf(
        WorkerCrashedError,
      );
      expect(await pool.get(question)).toEqual(answer);
      expect(await pool.transaction((tx) => tx.get(question))).toEqual(answer);
      expect(await pool.transaction((tx) => tx.get("PRAGMA cache_size"))).toEqual({ cache_size: -777 });
    }
    expect(connected - before).toBe(6);
  });

  it("before it begins a script: that is run by its replacement, once", async () => {
    const { workers, createWorker } = threads();
    const pool = await fragile({ createWorker });
    const ended = workers[0]!.terminate();
    await pool.exec("INSERT INTO t (a) VALUES (1); INSERT INTO t (a) VALUES (2)");
    await ended;
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
    expect(pool.stats()).toMatchObject({ respawned: 1, pending: 0 });
  });

  it("before it has a function: its replacement has that, and the caller does not mind", async () => {
    const { workers, createWorker } = threads();
    const pool = await fragile({ createWorker, readers: 1 });
    await pool.get("SELECT 1");
    const ended = workers.map((worker) => worker.terminate());
    await pool.createFunction("f", 0, () => "here");
    await Promise.all(ended);
    expect(await pool.get("SELECT f() AS f")).toEqual({ f: "here" });
    expect(await pool.transaction((tx) => tx.get("SELECT f() AS f"))).toEqual({ f: "here" });
    expect(pool.stats()).toMatchObject({ respawned: 2 });
  });

  it("and is not replaced yet keeps nobody from learning that a function cannot be defined", async () => {
    const pool = await fragile();
    expect(await rejection(pool.run("SELECT exit_if(1)"))).toBeInstanceOf(WorkerCrashedError);
    expect(pool.stats().writers).toBe(0);
    const missing = new URL("fixtures/no-such-file.mjs", import.meta.url);
    expect(await rejection(pool.createFunction("f", 0, missing))).toMatchObject({
      message: expect.stringContaining("no-such-file.mjs"),
    });
    expect(await rejection(pool.get("SELECT f()"))).toMatchObject({ message: "no such function: f" });
  });

  it("of which the others notice nothing", async () => {
    const pool = await fragile();
    const held = await holds(pool);
    const long = pool.get("SELECT hold(?) AS one", [held.name(0)]);
    await held.entered(0);
    expect(await rejection(pool.get("SELECT exit_if(1)"))).toBeInstanceOf(WorkerCrashedError);
    expect(await pool.run("INSERT INTO t (a) VALUES (1)")).toMatchObject({ changes: 1 });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1 });
    await held.release(0);
    expect(await long).toEqual({ one: 1 });
    await whole(pool);
  });

  it("while it is idle is replaced without a word", async () => {
    const pool = await fragile();
    await pool.createFunction("exit_later", 0, poolFunctions, { export: "exitLater" });
    await pool.get("SELECT exit_later()");
    await pool.run("INSERT INTO t (a) SELECT exit_later()");
    await until(() => pool.stats().respawned === 2);
    expect(await pool.run("INSERT INTO t (a) VALUES (1)")).toMatchObject({ changes: 1 });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 2 });
  });

  it("of too little memory is a crash like any other", async () => {
    const pool = await openPool({ readers: 1, resourceLimits: { maxOldGenerationSizeMb: 16 } });
    await pool.createFunction("exhaust", 0, poolFunctions, { export: "exhaust" });
    const [result] = await outcomes([pool.get("SELECT exhaust()")]);
    expect(result).toMatchObject({ name: "WorkerCrashedError", outcome: "unknown" });
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it("under a database in memory takes it along, and the pool goes on with an empty one", async () => {
    const pool = await fragile({}, ":memory:");
    await pool.run("INSERT INTO t (a) VALUES (1)");
    expect(await rejection(pool.run("INSERT INTO t (a) SELECT exit_if(1)"))).toBeInstanceOf(
      WorkerCrashedError,
    );
    expect(await pool.all("SELECT name FROM sqlite_schema")).toEqual([]);
    expect(pool.stats()).toMatchObject({ writers: 1, respawned: 1 });
  });
});

describe("a lease whose thread dies", () => {
  it("rejects its calls, and is given back like any other", async () => {
    const pool = await fragile();
    for (let i = 0; i < 3; i++) {
      const conn = await pool.acquire();
      await conn.execute("INSERT INTO t (a) VALUES (1)");
      expect(await rejection(conn.execute("SELECT exit_if(1)"))).toMatchObject({ outcome: "unknown" });
      expect(await rejection(conn.execute("SELECT 1"))).toMatchObject({ outcome: "not-started" });
      // Others do not have to wait for that.
      expect(await pool.run("INSERT INTO t (a) VALUES (2)")).toMatchObject({ changes: 1 });
      if (i % 2 === 0) await conn.close();
      else await pool.release(conn);
      await pool.release(conn);
    }
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 2 }, { a: 2 }, { a: 2 }]);
    await whole(pool);
    expect(pool.stats()).toMatchObject({ writers: 1, respawned: 3, busy: 0 });
  });

  it("in a transaction, a snapshot or an iteration: that rejects, and nothing of it is kept", async () => {
    const pool = await fragile();
    const dead = { name: "WorkerCrashedError" };
    let caught: unknown;
    const transaction = pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t (a) VALUES (1)");
      caught = await rejection(tx.get("SELECT exit_if(1)"));
      return "as if nothing had happened";
    });
    expect(await rejection(transaction)).toMatchObject(dead);
    expect(caught).toMatchObject({ ...dead, outcome: "unknown" });
    expect(await rejection(pool.read((tx) => tx.get("SELECT exit_if(1)")))).toMatchObject(dead);
    const loop = async (): Promise<void> => {
      for await (const row of pool.iterate("SELECT exit_if(1)")) expect(row).toBe("no row");
    };
    expect(await rejection(loop)).toMatchObject(dead);
    expect(await rejection(pool.exec("INSERT INTO t (a) VALUES (2); SELECT exit_if(1)"))).toMatchObject(dead);
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 2 }]);
    await whole(pool);
    expect(pool.stats()).toMatchObject({ respawned: 4, busy: 0 });
  });

  it("at COMMIT: the caller is told that it cannot be known, and the row is there or not", async () => {
    const { workers, createWorker } = threads();
    const path = await temporaryPath();
    const options = { createWorker, readers: 0, timeout: 60_000, pragmas: { journal_mode: "delete" } };
    const pool = await openPool(options, path);
    await pool.exec("CREATE TABLE t (a)");
    // With a rollback journal, a reader keeps a COMMIT waiting inside the thread; no new read begins then.
    const reader = openEngine(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT * FROM t").all();
    const result = outcomes([pool.transaction((tx) => tx.run("INSERT INTO t VALUES (1)"))]);
    const other = openEngine(path);
    await until(() => {
      try {
        return other.prepare("SELECT * FROM t").all().length < 0;
      } catch {
        return true;
      }
    });
    await workers.at(-1)!.terminate();
    expect(await result).toMatchObject([{ name: "WorkerCrashedError", outcome: "unknown" }]);
    reader.exec("COMMIT");
    const { n } = (await pool.get<{ n: number }>("SELECT count(*) AS n FROM t"))!;
    expect([0, 1]).toContain(n);
  });
});

describe("a thread that dies while it is", () => {
  it("given back: the next holder gets another", async () => {
    const { workers, createWorker } = threads();
    const pool = await fragile({ createWorker, readers: 1 });
    for (let i = 0; i < 10; i++) {
      const conn = await pool.acquire();
      await conn.execute("PRAGMA foreign_keys = OFF");
      await conn.execute("INSERT INTO t (a) VALUES (1)");
      const next = pool.acquire();
      const released = conn.close();
      for (let ticks = i; ticks > 0; ticks--) await new Promise(setImmediate);
      const ended = workers.at(-1)!.terminate();
      const holder = await next;
      const [answer] = await outcomes([holder.executeFetchall("PRAGMA foreign_keys")]);
      if (answer instanceof Error) expect(answer).toBeInstanceOf(WorkerCrashedError);
      else expect(answer).toEqual([[1]]);
      await Promise.all([released, ended]);
      await holder.close();
      await whole(pool);
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
  });

  it("opened: whoever waits for it learns that nothing of theirs has begun, and a later call tries again", async () => {
    const state = { broken: true };
    let opened = 0;
    const pool = await openPool({
      readers: 1,
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        // The first one is the writer.
        if (state.broken && opened++ > 0) void worker.terminate();
        return worker;
      },
    });
    const results = await outcomes([pool.get("SELECT 1"), pool.get("SELECT 2"), pool.read(() => 1)]);
    for (const result of results)
      expect(result).toMatchObject({ name: "WorkerCrashedError", outcome: "not-started" });
    expect(await pool.run("CREATE TABLE t (a)")).toMatchObject({ changes: 0 });
    state.broken = false;
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(pool.stats()).toMatchObject({ readers: 1, waiting: 0, pending: 0 });
  });
});

describe("a connection that cannot be opened", () => {
  it("rejects those who wait for it with the reason, while others are served by those that are open", async () => {
    const state = { broken: false };
    const broken = new Error("no further connection");
    const pool = await fragile({
      readers: 3,
      onConnect: () => {
        if (state.broken) throw broken;
      },
    });
    state.broken = true;
    expect(await outcomes([pool.get("SELECT 1"), pool.get("SELECT 2")])).toEqual([broken, broken]);
    state.broken = false;
    await pool.get("SELECT 1");
    state.broken = true;
    // There is one reader, and more calls than it can take at once, so they wait for it.
    const reads = Array.from({ length: 20 }, (_, i) => pool.read((tx) => tx.get("SELECT ? AS i", [i])));
    expect(await Promise.all(reads)).toEqual(reads.map((_, i) => ({ i })));
    state.broken = false;
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it("is not tried again and again while those who wait could be told that it failed", async () => {
    const state = { broken: false, tries: 0 };
    const broken = new Error("no further connection");
    const pool = await fragile({
      readers: 2,
      onConnect: async () => {
        if (!state.broken) return;
        // The second attempt takes longer than the time after which the pool looks after those who wait.
        if (++state.tries > 1) await sleep(100);
        throw broken;
      },
    });
    state.broken = true;
    expect(await outcomes([pool.get("SELECT 1"), pool.get("SELECT 2")])).toEqual([broken, broken]);
    expect(state.tries).toBe(2);
  });

  it("after a crash is tried again by the next call, and the one after that", async () => {
    const state = { broken: false };
    const broken = new Error("no further connection");
    const pool = await fragile({
      onConnect: () => {
        if (state.broken) throw broken;
      },
    });
    state.broken = true;
    expect(await rejection(pool.run("INSERT INTO t (a) SELECT exit_if(1)"))).toBeInstanceOf(
      WorkerCrashedError,
    );
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES (1)"))).toBe(broken);
    expect(await rejection(pool.acquire())).toBe(broken);
    state.broken = false;
    expect(await pool.run("INSERT INTO t (a) VALUES (2)")).toMatchObject({ changes: 1 });
    expect(pool.stats()).toMatchObject({ writers: 1, waiting: 0, pending: 0 });
  });

  it("names the reason also where somebody waits for too long", async () => {
    const broken = new Error("no further connection");
    const state = { broken: false };
    const pool = await fragile({
      readers: 2,
      acquireTimeout: 400 * timeFactor(),
      onConnect: () => {
        if (state.broken) throw broken;
      },
    });
    await pool.get("SELECT 1");
    const conn: Connection = await pool.acquire({ mode: "read" });
    state.broken = true;
    const error = await rejection(pool.read(() => 1));
    expect(error).toMatchObject({ name: "PoolTimeoutError", cause: broken });
    await conn.close();
  });
});

it("an error of a statement is no crash", async () => {
  const pool = await fragile();
  await pool.run("INSERT INTO t (id) VALUES (1)");
  expect(await rejection(pool.run("INSERT INTO t (id) VALUES (1)"))).toBeInstanceOf(IntegrityError);
  expect(pool.stats().respawned).toBe(0);
});
