import { randomUUID } from "node:crypto";
import { Worker } from "node:worker_threads";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import {
  capabilities,
  connect,
  createPool,
  createPools,
  type MemoryDatabase,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { holds, openPool, poolFunctions } from "../support/pool-support.ts";

/** A name that no other test has. */
function named(): MemoryDatabase {
  return { memory: `test ${randomUUID()}` };
}

const has = capabilities.sharedMemory;

describe.runIf(has)("connect({ memory: name })", () => {
  it("gives all connections of a name one database, and those of another name another", async () => {
    const database = named();
    const one = await open(database);
    await one.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    const two = await open({ memory: database.memory });
    expect(await two.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
    await two.execute("INSERT INTO t VALUES (2)");
    await two.commit();
    expect(await one.executeFetchall("SELECT x FROM t")).toEqual([[1], [2]]);
    expect(await (await open(named())).executeFetchall("SELECT name FROM sqlite_schema")).toEqual([]);
    expect(await (await open()).executeFetchall("SELECT name FROM sqlite_schema")).toEqual([]);
  });

  it("keeps the database until the last connection is closed, and then begins with an empty one", async () => {
    const database = named();
    const first = await connect(database);
    await first.execute("CREATE TABLE t (x)");
    const second = await connect(database);
    await first.close();
    expect(await second.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["t"]]);
    await second.close();
    const third = await open(database);
    expect(await third.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([]);
  });

  it("is the same database in every thread of the process", async () => {
    const database = named();
    const db = await open(database);
    await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES ('from the main thread')");
    const core = pathToFileURL(createRequire(import.meta.url).resolve("@sqlite-aio/core")).href;
    const program = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.core).then(async ({ connect }) => {
        const db = await connect(workerData.database);
        const rows = await db.executeFetchall("SELECT x FROM t");
        await db.execute("INSERT INTO t VALUES ('from another')");
        await db.commit();
        await db.close();
        parentPort.postMessage(rows);
      });`;
    const worker = new Worker(program, { eval: true, workerData: { core, database } });
    onTestFinished(async () => void (await worker.terminate()));
    const rows = await new Promise((resolve, reject) =>
      worker.once("message", resolve).once("error", reject),
    );
    expect(rows).toEqual([["from the main thread"]]);
    expect(await db.get("SELECT count(*) FROM t")).toEqual([2]);
  });

  it("tells names apart by every character, and takes any", async () => {
    const names = [
      "a",
      "A",
      " a",
      "a ",
      "a/b",
      "a%2Fb",
      "a?mode=ro",
      "a#b",
      "é",
      "e\u0301",
      "😀",
      "..",
      "x".repeat(400),
    ];
    const connections = [];
    for (const name of names) connections.push(await open({ memory: name }));
    for (const [i, db] of connections.entries()) await db.execute(`CREATE TABLE t${i} (x)`);
    for (const [i, db] of connections.entries())
      expect(await db.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([[`t${i}`]]);
  });

  it("refuses what is no name, and what goes with a file only, at once", async () => {
    const wrong: [unknown, object | undefined, RegExp][] = [
      [{ memory: "" }, undefined, /^RangeError: the name of a database in memory is empty/],
      [{ memory: "x".repeat(401) }, undefined, /^RangeError: .*longer than 400 characters/],
      [{ memory: "é".repeat(70) }, undefined, /^RangeError: .*longer than 400 characters/],
      [{ memory: 5 }, undefined, /^TypeError: the name of a database in memory must be a string/],
      [{ memory: "a\0b" }, undefined, /^TypeError: .*null character/],
      [{ memory: "\ud800" }, undefined, /^TypeError: .*lone surrogate/],
      [{ memory: "a", timeout: 5 }, undefined, /^TypeError: unknown key "timeout" beside "memory"/],
      [{ name: "a" }, undefined, /^TypeError: the database must be a path/],
      [{ memory: "a" }, { fileMustExist: true }, /^TypeError: .*"fileMustExist" goes with a file only/],
      [{ memory: "a" }, { readonly: "immutable" }, /^TypeError: .*goes with a file only/],
      [{ memory: "a" }, { image: new Uint8Array(1) }, /^TypeError: .*":memory:" only/],
    ];
    for (const [database, options, message] of wrong) {
      expect(String(await rejection(connect(database as never, options)))).toMatch(message);
      if (options === undefined)
        expect(String(await rejection(createPool(database as never)))).toMatch(message);
    }
    expect(String(await rejection(connect("file:x?mode=memory&cache=shared")))).toMatch(
      /\{ memory: "name" \}/,
    );
  });

  it("is refused by an engine that cannot, with the reason", async () => {
    const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql"));
    const error = await rejection(connect(named(), { engine }));
    expect(error).toMatchObject({ name: "NotSupportedError" });
    expect((error as Error).message).toBe(
      "a database in memory that connections share cannot be had with this engine",
    );
    const ciphers = pathToFileURL(createRequire(import.meta.url).resolve("better-sqlite3-multiple-ciphers"));
    const encrypted = await rejection(connect(named(), { engine: ciphers, pragmas: { key: "secret" } }));
    expect(String(encrypted)).toMatch(/^NotSupportedError: .* cannot be encrypted$/);
  });

  it("is refused to a second copy of the engine, which would have a database of its own", async () => {
    const database = named();
    await open(database);
    const engine = pathToFileURL(createRequire(import.meta.url).resolve("better-sqlite3-multiple-ciphers"));
    const error = await rejection(connect(database, { engine }));
    expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_AIO_TWO_ENGINES" });
    expect((error as Error).message).toMatch(/do not have one database in memory/);
  });
});

describe.runIf(has)("the locks of a database in memory that connections share", () => {
  it("let nobody else read or write while one has written, and wait for its end", async () => {
    const database = named();
    const writer = await open(database);
    await writer.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    const patient = await open(database);
    const hasty = await open(database, { timeout: 0 });
    await writer.execute("INSERT INTO t VALUES (2)");
    for (const sql of ["SELECT x FROM t", "INSERT INTO t VALUES (9)"])
      expect(await rejection(hasty.executeFetchall(sql))).toMatchObject({ code: "SQLITE_BUSY" });
    await hasty.rollback();
    let answered = false;
    const read = patient.executeFetchall("SELECT x FROM t").finally(() => (answered = true));
    // The writer answers meanwhile.
    expect(await writer.get("SELECT count(*) FROM t")).toEqual([2]);
    expect(answered).toBe(false);
    await writer.commit();
    expect(await read).toEqual([[1], [2]]);
  });

  it("keep a commit waiting while another reads", async () => {
    const database = named();
    const writer = await open(database);
    await writer.executescript(
      "CREATE TABLE t (x); INSERT INTO t SELECT value FROM json_each('[1,2,3,4,5,6,7,8,9]')",
    );
    const reader = await open(database, { iterChunkSize: 1 });
    await using cursor = await reader.execute("SELECT x FROM t");
    expect(await cursor.fetchone()).toEqual([1]);
    await writer.execute("INSERT INTO t VALUES (10)");
    const committed = writer.commit();
    expect(await cursor.fetchall()).toHaveLength(8);
    await committed;
    expect(await reader.get("SELECT count(*) FROM t")).toEqual([10]);
  });

  it("give each of many that write at the same time its turn, and lose nothing", async () => {
    const database = named();
    const first = await open(database, { timeout: 60_000 });
    await first.execute("CREATE TABLE t (who, n)");
    await first.commit();
    const others = await Promise.all(
      Array.from({ length: 4 }, () => open(database, { isolationLevel: "IMMEDIATE", timeout: 60_000 })),
    );
    await Promise.all(
      others.map(async (db, who) => {
        for (let n = 0; n < 25; n++) {
          await db.execute("INSERT INTO t VALUES (?, ?)", [who, n]);
          await db.commit();
        }
      }),
    );
    expect(await first.executeFetchall("SELECT who, count(DISTINCT n) FROM t GROUP BY who")).toEqual([
      [0, 25],
      [1, 25],
      [2, 25],
      [3, 25],
    ]);
  });
});

describe.runIf(has)("backups of a database in memory that connections share", () => {
  it("go into it for all that share it, whose functions and statements stay", async () => {
    const database = named();
    const one = await open(database);
    const two = await open(database);
    await one.createFunction("f", 0, () => "mine");
    await one.executescript("CREATE TABLE t (old)");
    expect(await two.executeFetchall("SELECT * FROM t")).toEqual([]);
    const source = await open();
    await source.executescript("CREATE TABLE t (x, y); INSERT INTO t VALUES (1, 'copied')");
    await source.backup(one);
    expect(await two.executeFetchall("SELECT * FROM t")).toEqual([[1, "copied"]]);
    expect(await one.executeFetchall("SELECT *, f() FROM t")).toEqual([[1, "copied", "mine"]]);
    const path = await temporaryPath();
    await two.backup(path);
    expect(openEngine(path).prepare("SELECT y FROM t").pluck().all()).toEqual(["copied"]);
    const copy = await open(":memory:", { image: await two.serialize() });
    expect(await copy.executeFetchall("SELECT y FROM t")).toEqual([["copied"]]);
  });

  it("wait for another that has written, and give up when it does not end", async () => {
    const database = named();
    const one = await open(database, { timeout: 50 });
    const two = await open(database);
    await two.executescript("CREATE TABLE t (x)");
    await two.execute("INSERT INTO t VALUES (1)");
    const source = await open();
    await source.executescript("CREATE TABLE t (copied)");
    expect(await rejection(source.backup(one))).toMatchObject({ code: "SQLITE_BUSY" });
    await two.commit();
    await source.backup(one);
    expect(await two.executeFetchall("SELECT sql FROM sqlite_schema")).toEqual([["CREATE TABLE t (copied)"]]);
  });
});

describe.runIf(has)("a pool over a database in memory", () => {
  it("is one connection unless told otherwise, and shares the database with what else has its name", async () => {
    const database = named();
    const pool = await openPool({}, database);
    await pool.exec("CREATE TABLE t (x)");
    await Promise.all(Array.from({ length: 20 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])));
    expect(pool.stats()).toMatchObject({ writers: 1, readers: 0 });
    const other = await openPool({}, database);
    expect(await other.get("SELECT count(*) AS n FROM t")).toEqual({ n: 20 });
    const db = await open(database);
    await db.execute("DELETE FROM t");
    await db.commit();
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    await pool.close();
    expect(await other.all("SELECT name FROM sqlite_schema")).toEqual([{ name: "t" }]);
  });

  it("keeps the contents when a lease has changed its only connection, which is then opened afresh", async () => {
    const pool = await openPool({}, named());
    await pool.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await pool.createFunction("twice", 1, (x) => Number(x) * 2);
    {
      await using connection = await pool.acquire();
      await connection.execute("CREATE TEMP TABLE mine (y)");
      await connection.execute("INSERT INTO t VALUES (2)");
    }
    expect(await pool.all("SELECT twice(x) AS x FROM t")).toEqual([{ x: 2 }]);
    expect(await rejection(pool.all("SELECT y FROM mine"))).toMatchObject({ code: "SQLITE_ERROR" });
  });

  it("reads on readers where it is told to have some, whose snapshots a write waits for", async () => {
    const pool = await openPool({ readers: 2 }, named());
    await pool.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    const [entered, leaving] = [gate(), gate()];
    const order: string[] = [];
    const reading = pool.read(async (tx) => {
      expect(await tx.all("SELECT x FROM t")).toEqual([{ x: 1 }]);
      entered.open();
      await leaving.opened;
      expect(await tx.all("SELECT x FROM t")).toEqual([{ x: 1 }]);
      order.push("read");
    });
    await entered.opened;
    expect(pool.stats().readers).toBeGreaterThan(0);
    const write = pool.run("INSERT INTO t VALUES (2)").finally(() => order.push("written"));
    leaving.open();
    await reading;
    expect(await write).toMatchObject({ changes: 1 });
    expect(order).toEqual(["read", "written"]);
    expect(await pool.all("SELECT x FROM t")).toEqual([{ x: 1 }, { x: 2 }]);
  });

  it("tells its listeners of what other connections have committed", async () => {
    const database = named();
    const pool = await openPool({ changePollInterval: 5 }, database);
    await pool.exec("CREATE TABLE t (x)");
    const rows = pool.watch("SELECT count(*) AS n FROM t")[Symbol.asyncIterator]();
    expect((await rows.next()).value).toEqual([{ n: 0 }]);
    const other = await openPool({}, database);
    await other.run("INSERT INTO t VALUES (1)");
    expect((await rows.next()).value).toEqual([{ n: 1 }]);
    await rows.return?.();
  });

  it("loses nothing that was committed when a thread dies in a transaction, as long as another connection is open", async () => {
    const database = named();
    const keeper = await open(database);
    const pool = await openPool({}, database);
    await pool.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    const died = pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t VALUES (2)");
      await tx.get("SELECT exit_if(1)");
    });
    expect(await rejection(died)).toBeInstanceOf(WorkerCrashedError);
    expect(await pool.all("SELECT x FROM t")).toEqual([{ x: 1 }]);
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await keeper.executeFetchall("SELECT x FROM t")).toEqual([[1], [3]]);
  });

  it("closes while a statement runs, and the next of the name begins with nothing", async () => {
    const database = named();
    const pool = await createPool(database);
    await pool.exec("CREATE TABLE t (x)");
    const { name, entered, release } = await holds(pool);
    const running = pool.run("INSERT INTO t VALUES (hold(?))", [name(1)]);
    await entered(1);
    const closed = pool.close();
    await release(1);
    await running;
    await closed;
    await pool.close();
    const after = await open(database);
    expect(await after.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([]);
  });

  it("is nothing for createPools(), which would lose it when it closes it", async () => {
    await using pools = createPools({ open: () => ({ database: named() as never }) });
    expect(String(await rejection(pools.use("a", () => null)))).toMatch(/would be lost when it is closed/);
  });
});

it.runIf(!has)(
  "without the companion a database in memory that connections share names the package",
  async () => {
    for (const opening of [connect, createPool] as const) {
      const error = await rejection(opening(named()));
      expect(error).toMatchObject({ name: "NotSupportedError" });
      expect((error as Error).message).toMatch(/needs the package @sqlite-aio\/native/);
    }
  },
);
