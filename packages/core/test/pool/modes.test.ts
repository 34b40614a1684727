import { availableParallelism } from "node:os";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { connect, createPool, OperationalError, type PoolOptions, type Pool } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { holds, openPool, until } from "../support/pool-support.ts";

/** Reads that stay inside the thread, one more than there are connections for them. */
async function crowd(pool: Pool, most: number): Promise<void> {
  const held = await holds(pool);
  const reads = Array.from({ length: most + 1 }, (_, i) => pool.get("SELECT hold(?) AS one", [held.name(i)]));
  for (let i = 0; i < most; i++) await held.entered(i);
  expect(pool.stats()).toMatchObject({ idle: most === pool.stats().writers ? 0 : 1, waiting: 1 });
  for (let i = 0; i <= most; i++) await held.release(i);
  expect(await Promise.all(reads)).toEqual(reads.map(() => ({ one: 1 })));
}

describe("the split pool", () => {
  it("opens one writer in WAL mode, and no reader before the first read", async () => {
    const path = await temporaryPath();
    const pool = await openPool({}, path);
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 0, idle: 1, busy: 0 });
    await pool.run("CREATE TABLE t (a)");
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 0 });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 1, idle: 2 });
    expect(openEngine(path).pragma("journal_mode", { simple: true })).toBe("wal");
  });

  it("has as many readers as there are cores but one, from one to four, by default", async () => {
    const most = Math.min(4, Math.max(1, availableParallelism() - 1));
    // One reader takes several statements at once, because there is no other one.
    if (most > 1) await crowd(await openPool(), most);
    const pool = await openPool({ readers: most });
    await Promise.all(Array.from({ length: 20 }, () => pool.get("SELECT 1")));
    expect(pool.stats().readers).toBeLessThanOrEqual(most);
  });

  it("runs as many long reads at once as it may have readers, and lets one more wait", async () => {
    const pool = await openPool({ readers: 3 });
    await crowd(pool, 3);
    expect(pool.stats()).toMatchObject({ readers: 3, writers: 1 });
  });

  it("never writes through a reader, not even a temporary table", async () => {
    const pool = await openPool({ readers: 1 });
    await pool.run("CREATE TABLE t (a)");
    await using reader = await pool.acquire({ mode: "read" });
    for (const sql of ["INSERT INTO t VALUES (1)", "CREATE TEMP TABLE u (a)", "PRAGMA user_version = 3"]) {
      expect(await rejection(reader.execute(sql)), sql).toMatchObject({ code: "SQLITE_READONLY" });
    }
    expect(await reader.executeFetchall("PRAGMA query_only")).toEqual([[1]]);
  });

  it("applies foreign_keys, synchronous FULL and the pragmas of the user to every connection", async () => {
    const pool = await openPool({ readers: 2, pragmas: { cache_size: -1234, busy_timeout: 7 } });
    for (const mode of ["read", "write"] as const) {
      await using conn = await pool.acquire({ mode });
      expect(await conn.executeFetchall("PRAGMA foreign_keys"), mode).toEqual([[1]]);
      expect(await conn.executeFetchall("PRAGMA synchronous"), mode).toEqual([[2]]);
      expect(await conn.executeFetchall("PRAGMA cache_size"), mode).toEqual([[-1234]]);
    }
    const normal = await openPool({ pragmas: { synchronous: "NORMAL" } });
    await using conn = await normal.acquire();
    expect(await conn.executeFetchall("PRAGMA synchronous")).toEqual([[1]]);
  });

  it("may have no log, where a pragma says so", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 1, pragmas: { journal_mode: "delete" } }, path);
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(pool.stats().walBytes).toBe(0);
  });
});

describe("another journal mode than the pool's", () => {
  const refused = {
    name: "ProgrammingError",
    code: "SQLITE_MISUSE",
    message: expect.stringContaining("by the option pragmas for every connection"),
  };
  const mode = (pool: Pool): Promise<unknown> => pool.pragma("journal_mode", { simple: true });

  it.each([
    ["beside readers", { readers: 1 }],
    ["on one connection, where the next one would set it back", { readers: 0 }],
  ])("is refused at once %s", async (_, options) => {
    const pool = await openPool({ ...options, timeout: 600_000 });
    await pool.exec("CREATE TABLE t (a)");
    expect(await pool.all("SELECT a FROM t")).toEqual([]);
    for (const source of [
      "journal_mode = DELETE",
      "main.journal_mode(truncate)",
      "JOURNAL_MODE = 'memory'",
    ]) {
      expect(await rejection(pool.pragma(source)), source).toMatchObject(refused);
      expect(await rejection(pool.run(`PRAGMA ${source}`)), source).toMatchObject(refused);
      expect(await rejection(pool.exec(`PRAGMA ${source};`)), source).toMatchObject(refused);
    }
    expect(await pool.pragma("journal_mode = WAL", { simple: true })).toBe("wal");
    expect(await pool.pragma("journal_mode = OFF", { simple: true })).toBe("wal");
    expect(await mode(pool)).toBe("wal");
  });

  it("is WAL where the pragmas say another", async () => {
    const pool = await openPool({ readers: 1, pragmas: { journal_mode: "Truncate" } });
    expect(await rejection(pool.pragma("journal_mode = wal"))).toMatchObject(refused);
    expect(await pool.pragma("journal_mode = truncate", { simple: true })).toBe("truncate");
    expect(await mode(pool)).toBe("truncate");
  });

  it("may be set by a script that uses it, and is set back behind it", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 0 }, path);
    await pool.exec("CREATE TABLE t (a)");
    await pool.exec("PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM");
    expect(await pool.pragma("page_size", { simple: true })).toBe(8192);
    expect(await mode(pool)).toBe("wal");
  });

  it("is no business of a pool in memory", async () => {
    const pool = await openPool({}, ":memory:");
    expect(await pool.pragma("journal_mode = DELETE", { simple: true })).toBe("memory");
  });
});

describe("the plain pool", () => {
  it("of N has N equal connections, each of which reads and writes", async () => {
    const pool = await openPool({ readers: 0, writers: 3 });
    await pool.run("CREATE TABLE t (a)");
    await crowd(pool, 3);
    expect(pool.stats()).toMatchObject({ writers: 3, readers: 0 });
    const leases = await Promise.all([pool.acquire(), pool.acquire({ mode: "read" }), pool.acquire()]);
    for (const [i, lease] of leases.entries()) {
      await lease.execute("INSERT INTO t VALUES (?)", [i]);
      await lease.commit();
    }
    for (const lease of leases) await lease.close();
    expect(await pool.all("SELECT a FROM t ORDER BY a")).toEqual([{ a: 0 }, { a: 1 }, { a: 2 }]);
  });

  it("sees at once what another of its connections has written", async () => {
    const pool = await openPool({ readers: 0, writers: 3 });
    await pool.run("CREATE TABLE t (a)");
    const held = await holds(pool);
    const read = pool.get("SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    for (let i = 1; i <= 50; i++) {
      await pool.run("INSERT INTO t VALUES (?)", [i]);
      expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: i });
    }
    await held.release(0);
    await read;
  });

  it("of one is a single connection that does one thing after the other", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const order: string[] = [];
    await Promise.all([
      pool.run("INSERT INTO t VALUES (1)").then(() => order.push("insert")),
      pool.get<{ n: number }>("SELECT count(*) AS n FROM t").then((row) => order.push(`count ${row?.n}`)),
      pool.run("DELETE FROM t").then(() => order.push("delete")),
      pool.get<{ n: number }>("SELECT count(*) AS n FROM t").then((row) => order.push(`count ${row?.n}`)),
    ]);
    expect(order).toEqual(["insert", "count 1", "delete", "count 0"]);
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 0 });
  });
});

describe("a pool in memory", () => {
  it.each([":memory:", ""])("is one connection, whatever was asked for: %j", async (database) => {
    const pool = await openPool({ readers: 4, writers: 2 }, database);
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    await Promise.all(Array.from({ length: 20 }, () => pool.all("SELECT a FROM t")));
    expect(await pool.read((tx) => tx.get("SELECT sum(a) AS s FROM t"))).toEqual({ s: 3 });
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 0, walBytes: 0 });
  });

  it("keeps its contents and functions when a lease has changed the connection", async () => {
    const pool = await openPool({}, ":memory:");
    await pool.createFunction("twice", 1, (x: number) => 2 * x);
    for (let i = 0; i < 5; i++) {
      await using conn = await pool.acquire();
      if (i === 0) await conn.execute("CREATE TABLE t (a)");
      await conn.execute("INSERT INTO t VALUES (twice(?))", [i]);
      await conn.commit();
      await conn.execute("PRAGMA foreign_keys = OFF");
      await conn.execute("INSERT INTO t VALUES (100)");
      await conn.executescript("CREATE TEMP TABLE u (a)");
      await conn.execute("INSERT INTO t VALUES (200)");
    }
    expect(await pool.all("SELECT a FROM t")).toEqual(
      [0, 2, 4, 6, 8].flatMap((a) => (a === 0 ? [0, 100] : [a, 100])).map((a) => ({ a })),
    );
    expect(await pool.get("SELECT count(*) AS n FROM temp.sqlite_schema")).toEqual({ n: 0 });
    expect(await pool.get("PRAGMA foreign_keys")).toEqual({ foreign_keys: 1 });
  });

  it("survives a changed connection also while it is empty", async () => {
    const pool = await openPool({}, ":memory:");
    await pool.exec("PRAGMA cache_size = 77; SELECT 1");
    await pool.run("CREATE TABLE t (a)");
    expect(await pool.all("SELECT name FROM sqlite_schema")).toEqual([{ name: "t" }]);
  });

  it("starts with the contents of an image", async () => {
    const source = openEngine();
    source.exec("CREATE TABLE t (a); INSERT INTO t VALUES ('kept')");
    const pool = await openPool({ image: source.serialize() }, ":memory:");
    expect(await pool.get("SELECT a FROM t")).toEqual({ a: "kept" });
  });
});

describe("a readonly pool", () => {
  it("reads, refuses to write, and leaves the file alone", async () => {
    const path = await temporaryPath();
    openEngine(path).exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const pool = await openPool({ readonly: true, readers: 2 }, path);
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
    const write = "INSERT INTO t VALUES (2)";
    for (const attempt of [
      () => pool.run(write),
      () => pool.get(`${write} RETURNING a`),
      () => pool.all(`${write} RETURNING a`),
      () => pool.exec(write),
      () => pool.transaction((tx) => tx.run(write), { mode: "deferred" }),
      async () => {
        for await (const row of pool.iterate(`${write} RETURNING a`)) expect(row).toBe("no row");
      },
    ]) {
      expect(await rejection(attempt), String(attempt)).toMatchObject({ code: "SQLITE_READONLY" });
    }
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
    await pool.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
});

describe("createPool", () => {
  it("takes a URL, and creates the file", async () => {
    const path = await temporaryPath("a b.db");
    const pool = await openPool({}, pathToFileURL(path));
    await pool.run("CREATE TABLE t (a)");
    await pool.close();
    expect(existsSync(path)).toBe(true);
  });

  it("rejects where the file cannot be opened", async () => {
    const folder = await temporaryFolder();
    const missing = await rejection(createPool(`${folder}/no/such/folder.db`));
    expect(missing).toBeInstanceOf(OperationalError);
    expect(missing).toMatchObject({ code: "SQLITE_CANTOPEN" });
    expect(await rejection(createPool(`${folder}/none.db`, { fileMustExist: true }))).toMatchObject({
      code: "SQLITE_CANTOPEN",
    });
  });

  it("gives up opening when its signal is aborted, before and meanwhile", async () => {
    const reason = new Error("not needed any more");
    const path = await temporaryPath();
    expect(await rejection(createPool(path, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const opening = createPool(path, { signal: controller.signal });
    controller.abort(reason);
    expect(await rejection(opening)).toBe(reason);
    // A signal that is aborted later is nothing to the pool.
    const later = new AbortController();
    const pool = await openPool({ signal: later.signal }, path);
    later.abort();
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it.each<[PoolOptions, typeof TypeError | typeof RangeError]>([
    [{ readers: -1 }, RangeError],
    [{ readers: 1.5 }, TypeError],
    [{ writers: 0 }, RangeError],
    [{ acquireTimeout: -1 }, RangeError],
    [{ maxWaiting: -1 }, RangeError],
    [{ maxQueue: 0 }, RangeError],
    [{ idleTimeout: Number.NaN }, TypeError],
    [{ leakWarning: -1 }, RangeError],
    [{ groupCommit: "yes" as never }, TypeError],
    [{ onConnect: "no function" as never }, TypeError],
    [{ checkpoint: "never" as never }, RangeError],
    [{ size: 3 } as never, TypeError],
    [{ createWorker: 1 as never }, TypeError],
  ])("rejects %j before any thread starts", async (options, Class) => {
    let started = 0;
    const createWorker = (...args: ConstructorParameters<typeof Worker>): Worker => {
      started++;
      return new Worker(...args);
    };
    expect(await rejection(createPool(":memory:", { createWorker, ...options }))).toBeInstanceOf(Class);
    expect(started).toBe(0);
    expect(await rejection(createPool(":memory:", null as never))).toBeInstanceOf(TypeError);
  });

  it("sends the calls of one tick to a thread in few messages", async () => {
    let messages = 0;
    const pool = await openPool({
      readers: 1,
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        const post = worker.postMessage.bind(worker);
        worker.postMessage = (...args: Parameters<Worker["postMessage"]>) => {
          messages++;
          post(...args);
        };
        return worker;
      },
    });
    await pool.run("CREATE TABLE t (a)");
    await pool.get("SELECT 1");
    await pool.run("INSERT INTO t VALUES (?)", [-1]);
    messages = 0;
    const calls = [
      ...Array.from({ length: 200 }, () => pool.get("SELECT 1")),
      ...Array.from({ length: 200 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])),
    ];
    // Later ones depend on how fast the threads answer.
    await new Promise((resolve) => setImmediate(resolve));
    expect(messages).toBeLessThanOrEqual(20);
    await Promise.all(calls);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 201 });
  });

  it("makes no difference to a file that connect() uses as well", async () => {
    const path = await temporaryPath();
    const pool = await openPool({}, path);
    await pool.run("CREATE TABLE t (a)");
    await using db = await connect(path);
    await db.execute("INSERT INTO t VALUES (1)");
    const write = pool.run("INSERT INTO t VALUES (2)");
    await db.commit();
    expect(await write).toEqual({ changes: 1, lastInsertRowid: 2 });
    await until(async () => (await pool.all("SELECT a FROM t")).length === 2);
  });
});
