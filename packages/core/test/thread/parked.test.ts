import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import {
  capabilities,
  connect,
  type Connection,
  type ConnectOptions,
  createPool,
  OperationalError,
  parkThreads,
  SQLITE_DENY,
  SQLITE_OK,
  startThreads,
  threadStats,
} from "@sqlite-aio/core";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

const functions = new URL("../fixtures/functions.mjs", import.meta.url);
const authorizers = new URL("../fixtures/authorizers.mjs", import.meta.url);
const setup = new URL("../fixtures/parked-environment.mjs", import.meta.url);
const engine = new URL("../fixtures/engine.mjs", import.meta.url);

/** Threads that were started since the test began. */
let workers: Worker[] = [];
const noteWorker = (worker: Worker): void => void workers.push(worker);

beforeEach(() => {
  workers = [];
  process.on("worker", noteWorker);
  parkThreads({ max: 0 });
  parkThreads({ max: 4, idleTimeout: 0 });
});

afterEach(() => {
  process.off("worker", noteWorker);
  // Connections that a test left open are closed after this, and their threads end.
  parkThreads({ max: 0 });
});

/** Opens, works, closes. */
async function use(
  work: (db: Connection) => unknown,
  options?: ConnectOptions,
  path = ":memory:",
): Promise<void> {
  const db = await connect(path, options);
  try {
    await work(db);
  } finally {
    await db.close();
  }
}

/** Whether this process has the database open, or a file beside it, where the system tells. */
const holdsFile = new Map([
  ["linux", isListed],
  ["win32", isLocked],
]).get(process.platform);

function isListed(path: string): boolean {
  return readdirSync("/proc/self/fd").some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  });
}

/** SQLite opens files in a way that lets nobody rename them meanwhile. */
function isLocked(path: string): boolean {
  try {
    renameSync(path, `${path}.moved`);
  } catch {
    return true;
  }
  renameSync(`${path}.moved`, path);
  return false;
}

const ask = async (db: Connection): Promise<unknown> => await db.executeFetchall("SELECT 1");

describe("a thread whose connection is closed", () => {
  it("serves the next connection, and the next pool, on whatever database", async () => {
    const before = threadStats();
    const path = await temporaryPath();
    await use(ask);
    expect(threadStats()).toEqual({ ...before, parked: 1, started: before.started + 1 });
    const db = await open(path);
    expect(threadStats()).toMatchObject({ active: before.active + 1, parked: 0, reused: before.reused + 1 });
    expect(await ask(db)).toEqual([[1]]);
    await db.close();
    const pool = await createPool(path, { readers: 0 });
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    await pool.close();
    expect(workers).toHaveLength(1);
    expect(threadStats()).toEqual({
      active: before.active,
      parked: 1,
      started: before.started + 1,
      reused: before.reused + 2,
    });
  });

  it("serves hundreds of short connections, whatever memory V8 has reserved in it meanwhile", async () => {
    const path = await temporaryPath();
    for (let count = 0; count < 400; count++) await use(ask, undefined, path);
    expect(workers).toHaveLength(1);
  });

  it("closes a connection that waits for nothing with one message", async () => {
    const db = await open();
    await ask(db);
    const sent: unknown[] = [];
    const [worker] = workers as [Worker];
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (...args: Parameters<Worker["postMessage"]>) => {
      sent.push(args[0]);
      post(...args);
    };
    await db.close();
    expect(sent).toMatchObject([{ path: ["close"] }]);
    expect(threadStats().parked).toBe(1);
  });

  it("serves the next one also where it could not open a database", async () => {
    const missing = `${await temporaryFolder()}/no-folder/test.db`;
    expect(await rejection(connect(missing))).toBeInstanceOf(OperationalError);
    await use(ask);
    expect(workers).toHaveLength(1);
  });

  it("has kept nothing of the connection before", async () => {
    const path = await temporaryPath();
    const traced: string[] = [];
    await use(
      async (db) => {
        await db.executescript(
          "CREATE TABLE t (a); ATTACH ':memory:' AS other; CREATE TEMP TABLE passing (a)",
        );
        await db.execute("INSERT INTO t VALUES (1), (2)");
        await db.commit();
        await db.executescript("PRAGMA foreign_keys = OFF; PRAGMA cache_size = 77; PRAGMA busy_timeout = 1");
        await db.createFunction("f", 0, () => 1);
        await db.setTraceCallback((sql) => traced.push(sql));
        if (capabilities.authorizer)
          await db.setAuthorizer((action) => (action === 9 ? SQLITE_DENY : SQLITE_OK));
        await db.executeFetchall("SELECT f() FROM t");
        if (capabilities.interrupt) await db.setProgressHandler(() => true, 1000);
        // Left half read, with a transaction open.
        await db.execute("INSERT INTO t VALUES (3)");
        await (await db.execute("SELECT a FROM t")).fetchone();
      },
      { isolationLevel: null, integers: "bigint", warnOnRollback: false, cachedStatements: 2 },
      path,
    );
    const before = traced.length;
    const db = await open(path);
    expect(workers).toHaveLength(1);
    expect(await rejection(db.execute("SELECT f()"))).toMatchObject({ message: "no such function: f" });
    expect([db.totalChanges, db.inTransaction]).toEqual([0, false]);
    const counts = "SELECT total_changes(), changes(), last_insert_rowid()";
    expect(await db.executeFetchall(counts)).toEqual([[0, 0, 0]]);
    const databases = await db.executeFetchall("PRAGMA database_list");
    expect(databases.map((row) => (row as unknown[])[1])).not.toContain("other");
    expect(await db.executeFetchall("SELECT name FROM sqlite_temp_schema")).toEqual([]);
    for (const [name, value] of [
      ["foreign_keys", 1],
      ["busy_timeout", 5000],
      ["query_only", 0],
    ] as const)
      expect([name, await db.executeFetchall(`PRAGMA ${name}`)]).toEqual([name, [[value]]]);
    const fresh = openEngine(path).pragma("cache_size", { simple: true });
    expect(await db.executeFetchall("PRAGMA cache_size")).toEqual([[fresh]]);
    await db.executescript("CREATE TABLE denied_before (a); SELECT count(*) FROM t, t, t");
    expect(await db.executeFetchall("SELECT a FROM t ORDER BY a")).toEqual([[1], [2], [3]]);
    expect(traced).toHaveLength(before);
  });

  it("reports the changes of the present connection alone", async () => {
    if (!capabilities.changes) return;
    const first = await createPool(await temporaryPath(), { readers: 0 });
    const seen: string[] = [];
    first.on("change", ({ tables }) => seen.push(`first ${tables.join()}`));
    await first.exec("CREATE TABLE a (x); INSERT INTO a VALUES (1)");
    await first.close();
    const told = seen.length;
    const second = await createPool(await temporaryPath(), { readers: 0 });
    onTestFinished(() => second.close());
    await second.exec("CREATE TABLE b (x)");
    const change = new Promise<readonly string[]>((resolve) =>
      second.once("change", ({ tables }) => resolve(tables)),
    );
    await second.run("INSERT INTO b VALUES (1)");
    expect(await change).toEqual(["b"]);
    expect(seen).toHaveLength(told);
    expect(workers).toHaveLength(1);
  });

  it.runIf(holdsFile !== undefined)("holds no file", async () => {
    const path = await temporaryPath();
    const pool = await createPool(path);
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a)");
    await pool.all("SELECT * FROM t");
    expect(holdsFile!(path)).toBe(true);
    await pool.close();
    expect(threadStats().parked).toBeGreaterThan(0);
    expect(holdsFile!(path)).toBe(false);
  });

  it("can be closed and left by many at once, and each call is answered", async () => {
    const path = await temporaryPath();
    const sums = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        const db = await connect(path);
        const call = db.executeFetchall("SELECT ?", [i]);
        await db.close();
        return ((await call) as number[][])[0]![0]!;
      }),
    );
    expect(sums).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(threadStats().parked).toBe(4);
  });

  it("is not reached by what is done with the connection that it served", async () => {
    const first = await connect(":memory:");
    const cursor = await first.execute("SELECT 1");
    await first.close();
    const second = await open();
    const running = second.executeFetchall(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT count(*) FROM n",
    );
    await first.stop();
    await first.close();
    await first.interrupt().catch(() => {});
    await rejection(first.execute("SELECT 1"));
    await rejection(cursor.fetchone());
    expect(await running).toEqual([[300_000]]);
    expect(await ask(second)).toEqual([[1]]);
    expect(workers).toHaveLength(1);
  });
});

describe("a thread ends with its connection", () => {
  const cases: Record<string, [work: (db: Connection) => unknown, options?: ConnectOptions]> = {
    "after a setup module": [ask, { setup }],
    "after a function's module": [(db) => db.createFunction("slug", 1, functions, { export: "slug" })],
    "after a module that has no such export": [
      (db) => rejection(db.createFunction("slug", 1, functions, { export: "none" })),
    ],
    "after an authorizer's module": [
      async (db) => {
        if (capabilities.authorizer) await db.setAuthorizer(authorizers, { export: "hide" });
        else await db.createFunction("slug", 1, functions, { export: "slug" });
      },
    ],
    "after an extension, also one that does not load": [
      async (db) => {
        await db.enableLoadExtension(true);
        // This file is none.
        await rejection(db.loadExtension(fileURLToPath(import.meta.url)));
      },
    ],
    "after a pragma of the whole process": [(db) => db.execute("PRAGMA soft_heap_limit = 0")],
    "after such a pragma in a script": [(db) => db.executescript("SELECT 1; PRAGMA main.hard_heap_limit(0)")],
    "after such a pragma among the options": [ask, { pragmas: { Soft_Heap_Limit: 0 } }],
    "with an engine of its own": [ask, { engine }],
    "with limits of its own": [ask, { resourceLimits: { maxOldGenerationSizeMb: 100 } }],
    "of createWorker": [ask, { createWorker: (url, options) => new Worker(url, options) }],
  };
  it.each(Object.entries(cases))("%s", async (_name, [work, options]) => {
    await use(work, options);
    expect(threadStats().parked).toBe(0);
    const [worker] = workers;
    if (worker!.threadId !== -1) await once(worker!, "exit");
    await use(ask);
    expect(workers).toHaveLength(2);
  });

  it("where the work of the connection has grown its heap", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `${"c".repeat(5000)}${i}`);
    await use(async (db) => {
      await db.execute(`CREATE TABLE t(${names.join(", ")})`);
      // Garbage would be collected at some moment, but a cached statement keeps the names of its columns: 0.5 MB here.
      const all = Array.from({ length: 100 }, (_, i) => db.executeFetchall(`SELECT * FROM t WHERE 1 = ${i}`));
      await Promise.all(all);
    });
    expect(threadStats().parked).toBe(0);
  });
});

describe("the threads that are kept", () => {
  it("are `max` at the most, and the oldest ends", async () => {
    parkThreads({ max: 2 });
    const connections = [await connect(":memory:"), await connect(":memory:"), await connect(":memory:")];
    const ended = once(workers[0]!, "exit");
    for (const db of connections) await db.close();
    await ended;
    expect(threadStats().parked).toBe(2);
    expect(workers.map(({ threadId }) => threadId !== -1)).toEqual([false, true, true]);
  });

  it("are none with `max: 0`", async () => {
    parkThreads({ max: 0 });
    await use(ask);
    expect(threadStats().parked).toBe(0);
    await use(ask);
    expect(workers).toHaveLength(2);
  });

  it("end after `idleTimeout` ms, each counted from when it was parked", async () => {
    parkThreads({ idleTimeout: 20 });
    const [first, second] = [await connect(":memory:"), await connect(":memory:")];
    const ends = workers.map((worker) => once(worker, "exit"));
    await first.close();
    await ends[0];
    expect(threadStats()).toMatchObject({ parked: 0 });
    expect(await ask(second)).toEqual([[1]]);
    await second.close();
    await ends[1];
    expect(threadStats().parked).toBe(0);
  });

  it("are not given to a connection that would start one with another environment, and know the present folder", async () => {
    const word = async (): Promise<unknown> => {
      const db = await open(":memory:", { setup });
      return await db.executeFetchall("SELECT word(), folder()");
    };
    onTestFinished(() => void delete process.env["SQLITE_AIO_TEST_WORD"]);
    await use(ask);
    process.env["SQLITE_AIO_TEST_WORD"] = "new";
    expect(await word()).toEqual([["new", process.cwd()]]);
    expect(workers).toHaveLength(2);
    expect(threadStats().parked).toBe(1);
    delete process.env["SQLITE_AIO_TEST_WORD"];
    expect(await word()).toEqual([[null, process.cwd()]]);
    expect(workers).toHaveLength(2);
    expect(threadStats().parked).toBe(0);
  });

  it("may die while they are parked: nobody hears of it, and the next connection gets another", async () => {
    for (const options of [{}, { setup }]) {
      await use(ask);
      const worker = workers.at(-1)!;
      const ended = worker.terminate();
      // It is known to be gone only later.
      expect(threadStats().parked).toBe(1);
      const db = await open(":memory:", options);
      expect(await ask(db)).toEqual([[1]]);
      await ended;
      expect(workers.at(-1)).not.toBe(worker);
    }
  });
});

describe("startThreads()", () => {
  it("has threads ready for the connections that come", async () => {
    await startThreads(2);
    const before = threadStats();
    expect(before.parked).toBe(2);
    expect(workers).toHaveLength(2);
    await startThreads(2);
    const path = await temporaryPath();
    const [one, two] = [await open(path), await open(path)];
    expect([await ask(one), await ask(two)]).toEqual([[[1]], [[1]]]);
    expect(threadStats()).toMatchObject({ parked: 0, started: before.started, reused: before.reused + 2 });
    expect(workers).toHaveLength(2);
  });

  it("has its threads taken before they are ready", async () => {
    const ready = startThreads(1);
    const db = await open();
    expect(await ask(db)).toEqual([[1]]);
    await ready;
    expect(workers).toHaveLength(1);
  });

  it("rejects where a thread ends before it is ready", async () => {
    const ready = rejection(startThreads(1));
    // It is told of in the next tick.
    await new Promise(setImmediate);
    await workers[0]!.terminate();
    expect(await ready).toMatchObject({ name: "WorkerCrashedError", outcome: "not-started" });
    expect(threadStats().parked).toBe(0);
  });

  it("refuses what is no count, and more than are kept", async () => {
    expect(await rejection(startThreads(5))).toMatchObject({ name: "RangeError", message: /at most 4/ });
    expect(await rejection(startThreads(-1))).toBeInstanceOf(RangeError);
    expect(await rejection(startThreads("two" as never))).toBeInstanceOf(TypeError);
    expect(() => parkThreads({ max: -1 })).toThrow(RangeError);
    expect(() => parkThreads({ idleTimeout: 1.5 })).toThrow(TypeError);
    expect(() => parkThreads({ least: 1 } as never)).toThrow(/unknown option "least"/);
    expect(workers).toEqual([]);
  });
});

describe("a pool", () => {
  it("starts the thread of its first reader beside that of its writer", async () => {
    const pool = await createPool(await temporaryPath());
    onTestFinished(async () => await pool.close());
    expect(workers.length).toBe(2);
    expect(threadStats()).toMatchObject({ active: 1, parked: 1 });
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(workers.length).toBe(2);
    expect(threadStats()).toMatchObject({ active: 2, parked: 0 });
  });

  it("starts none ahead where it has no readers, where one waits already, and where none are kept", async () => {
    const alone = await createPool(await temporaryPath(), { readers: 0, writers: 1 });
    expect(workers.length).toBe(1);
    await startThreads(2);
    const served = await createPool(await temporaryPath());
    expect(workers.length).toBe(3);
    parkThreads({ max: 0 });
    const plain = await createPool(await temporaryPath());
    expect(workers.length).toBe(4);
    await Promise.all([alone.close(), served.close(), plain.close()]);
  });
});

describe("a process whose threads are parked", () => {
  it.each([
    ["ends", "end", 0, "0 parked"],
    ["ends, with threads started ahead", "ahead", 0, "0 parked"],
    ["exits", "exit", 7, "0 parked"],
    ["throws", "throw", 1, "0 parked"],
  ])("%s at once, and in peace", async (_name, how, code, stdout) => {
    const path = await temporaryPath();
    const program = fileURLToPath(new URL("../fixtures/exit-parked.mjs", import.meta.url));
    const ended = await new Promise<{ code: unknown; signal: unknown; stdout: string }>((resolve) => {
      const child = execFile(process.execPath, [program, how, path], (error, out) =>
        resolve({ code: error?.code ?? 0, signal: error?.signal ?? null, stdout: out }),
      );
      endsWithTest(child);
    });
    expect(ended).toEqual({ code, signal: null, stdout });
  });
});
