import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import {
  capabilities,
  type Change,
  connect,
  createPool,
  type Pool,
  type PoolOptions,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openEngine, rejection, temporaryPath } from "../../support/database.ts";
import { lockMet, tellsOfLocks } from "../../support/lock-met.ts";
import { holds, openPoolOf, quiet, until } from "../../support/pool-support.ts";

const SCHEMA = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, x);
  CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t ON DELETE CASCADE);
  CREATE TABLE w (k PRIMARY KEY, v UNIQUE) WITHOUT ROWID;
  CREATE VIRTUAL TABLE f USING fts5 (x)`;

const openPool = (options?: PoolOptions, path?: string): Promise<Pool & { path: string }> =>
  openPoolOf(SCHEMA, options, path);

/** Milliseconds between two looks for commits of others. */
const EVERY = 5;

/** From now on pools look for commits of others when `look` is called, and not by the clock; it resolves when they have. */
function looksByHand(): { look: (pool: Pool) => Promise<void> } {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  return {
    look: async (pool) => {
      const { executed, writers } = pool.stats();
      // Twice: an answer may be that of an earlier call.
      await until(() => {
        if (pool.stats().executed >= executed + 2 * writers) return true;
        vi.advanceTimersByTime(EVERY);
        return false;
      });
    },
  };
}

function listen(pool: Pool): Change[] {
  const changes: Change[] = [];
  pool.on("change", (told) => changes.push(told));
  return changes;
}

/** The event for changes of these rows; `true`: rows that are not listed. */
function change(rows: Record<string, (number | bigint)[] | true>): Change {
  const rowids = Object.entries(rows).filter(([, list]) => list !== true);
  return {
    tables: Object.keys(rows),
    rowids: Object.fromEntries(rowids) as never,
    schema: false,
    external: false,
    any: false,
  };
}

const run = promisify(execFile);
/** Another process commits. */
async function commitElsewhere(path: string, sql: string): Promise<void> {
  await run(process.execPath, [
    fileURLToPath(new URL("../../fixtures/commit.mjs", import.meta.url)),
    path,
    sql,
  ]);
}

describe.runIf(capabilities.changes)("the event change", () => {
  it("tells the tables and rows of each commit, before the call that made it is answered", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1), (2), (3)");
    expect(changes.splice(0)).toEqual([change({ t: [1, 2, 3] })]);
    await pool.run("UPDATE t SET x = 9 WHERE id = 2");
    expect(changes.splice(0)).toEqual([change({ t: [2] })]);
    await pool.all("DELETE FROM t WHERE id = 3 RETURNING id");
    expect(changes.splice(0)).toEqual([change({ t: [3] })]);
    await pool.all("SELECT * FROM t");
    await pool.run("UPDATE t SET x = 1 WHERE id = 99");
    expect(changes).toEqual([]);
  });

  it("tells a transaction once, after its commit, whoever runs it", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t (x) VALUES (1)");
      await tx.run("INSERT INTO u (t) VALUES (1)");
      await tx.transaction((inner) => inner.run("UPDATE t SET x = 2"));
      expect(changes).toEqual([]);
    });
    expect(changes.splice(0)).toEqual([change({ t: [1], u: [1] })]);
    {
      await using db = await pool.acquire();
      await db.executemany("INSERT INTO t (x) VALUES (?)", [[2], [3]]);
      expect(changes).toEqual([]);
      await db.commit();
      expect(changes.splice(0)).toEqual([change({ t: [2, 3] })]);
    }
    await pool.exec("BEGIN; INSERT INTO t (x) VALUES (4); COMMIT; INSERT INTO u (t) VALUES (2)");
    expect(changes.splice(0)).toEqual([change({ t: [4], u: [2] })]);
  });

  it("is one for all that is answered together", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    await Promise.all(Array.from({ length: 50 }, (_, x) => pool.run("INSERT INTO t (x) VALUES (?)", [x])));
    expect(changes.flatMap(({ rowids }) => rowids["t"] ?? [])).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    expect(changes.length).toBeLessThan(50);
  });

  it("never tells what was rolled back", async () => {
    const pool = await openPool();
    await pool.run("INSERT INTO w VALUES (1, 1)");
    const changes = listen(pool);
    const fails = async (fn: () => Promise<unknown>): Promise<unknown> => rejection(fn());
    await fails(() =>
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t (x) VALUES (1)");
        await tx.run("INSERT INTO w VALUES (2, 2)");
        await tx.run("INSERT INTO f VALUES ('a')");
        throw new Error("undo");
      }),
    );
    await fails(() => pool.run("INSERT INTO u (t) VALUES (99)"));
    await fails(() => pool.run("INSERT INTO w VALUES (3, 3), (1, 1)"));
    await fails(() => pool.run("INSERT OR ROLLBACK INTO w VALUES (4, 4), (1, 1)"));
    await fails(() => pool.exec("BEGIN; INSERT INTO w VALUES (5, 5); INSERT INTO nowhere VALUES (1)"));
    await fails(() => pool.run("INSERT INTO t (x) SELECT value FROM generate_series(1, 1e12)"));
    const rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n";
    await fails(() => pool.run(`INSERT INTO t ${rows.replace("i, i", "NULL, i")}`, [], { timeout: 20 }));
    await fails(() => pool.run(`INSERT INTO w ${rows}`, [], { timeout: 20 }));
    {
      await using db = await pool.acquire();
      await db.execute("INSERT INTO t (x) VALUES (5)");
      await db.execute("INSERT INTO w VALUES (6, 6)");
      await db.rollback();
      await db.execute("INSERT INTO w VALUES (7, 7)");
    }
    expect(changes).toEqual([]);
    // OR FAIL keeps what the statement did before its error.
    await fails(() => pool.run("INSERT OR FAIL INTO w VALUES (8, 8), (1, 1)"));
    expect(changes).toEqual([change({ w: true })]);
  });

  it("tells tables without rowids, virtual ones, and what triggers and foreign keys change", async () => {
    const pool = await openPool();
    await pool.exec(`
      CREATE TABLE log (what);
      CREATE TRIGGER noted AFTER DELETE ON u BEGIN INSERT INTO log VALUES (old.id); END;
      CREATE TRIGGER marked AFTER INSERT ON log BEGIN INSERT INTO w VALUES (new.what, new.what); END;
      INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO u VALUES (10, 1), (11, 1)`);
    const changes = listen(pool);
    await pool.run("INSERT INTO w VALUES ('a', 'b')");
    expect(changes.splice(0)).toEqual([change({ w: true })]);
    await pool.run("DELETE FROM w WHERE k = 'nobody'");
    expect(changes).toEqual([]);
    await pool.run("INSERT INTO f VALUES ('some words')");
    expect(changes.splice(0)[0]?.tables).toContain("f");
    await pool.run("DELETE FROM t WHERE id = 1");
    expect(changes.splice(0)).toEqual([change({ t: [1], u: [10, 11], log: [1, 2], w: true })]);
    await pool.run("DELETE FROM t");
    // For an untracked table, the event says that the statement may have written to it, if it wrote at all.
    expect(changes.splice(0)).toEqual([change({ t: [2], w: true })]);
    {
      await using db = await pool.acquire();
      await db.executemany("INSERT INTO w VALUES (?1, ?1)", [["c"], ["d"]]);
      await db.commit();
      expect(changes.splice(0)).toEqual([change({ w: true })]);
    }
  });

  it("tells rowids of any size, as the pool reads integers, and up to 1,000 of a table", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    const large = 2n ** 60n;
    await pool.run("INSERT INTO t VALUES (?, 1), (-5, 1)", [large]);
    expect(changes.splice(0)).toEqual([change({ t: [large, -5] })]);
    const rows =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) INSERT INTO u (t) SELECT NULL FROM n";
    await pool.run(rows, [1000]);
    expect(changes.splice(0)[0]?.rowids["u"]).toHaveLength(1000);
    await pool.run(rows, [1001]);
    expect(changes.splice(0)).toEqual([change({ u: true })]);
    const other = await openPool({ integers: "bigint" });
    const told = listen(other);
    await other.run("INSERT INTO t VALUES (7, 1)");
    expect(told).toEqual([change({ t: [7n] })]);
  });

  it("tells that the schema has changed, unless that was rolled back", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    await pool.exec("CREATE TABLE z (a); INSERT INTO z VALUES (1)");
    expect(changes.splice(0)).toEqual([{ ...change({ z: [1] }), schema: true }]);
    await pool.run("ALTER TABLE z ADD COLUMN b");
    await pool.run("DROP TABLE z");
    expect(changes.splice(0)).toEqual([
      { ...change({}), schema: true },
      { ...change({}), schema: true },
    ]);
    await rejection(
      pool.transaction(async (tx) => {
        await tx.exec("CREATE TABLE z (a)");
        throw new Error("undo");
      }),
    );
    expect(changes).toEqual([]);
    // A table that cannot be tracked is found although it was made by another connection meanwhile.
    openEngine(pool.path).exec("CREATE TABLE late (k PRIMARY KEY) WITHOUT ROWID");
    await pool.run("INSERT INTO late VALUES (1)");
    expect(changes).toEqual([{ ...change({ late: true }), schema: true }]);
  });

  it("names tables of attached databases with their schema", async () => {
    const extra = await temporaryPath();
    const pool = await openPool({
      onConnect: async (db) => void (await db.execute("ATTACH ? AS extra", [extra])),
    });
    await pool.exec("CREATE TABLE extra.t (x)");
    const changes = listen(pool);
    await pool.run("INSERT INTO extra.t VALUES (1)");
    expect(changes).toEqual([change({ "extra.t": [1] })]);
  });

  it("names no copies that VACUUM makes, and says that any row may have another rowid", async () => {
    const pool = await openPool();
    await pool.exec("INSERT INTO t (x) VALUES (1), (2); DELETE FROM t WHERE id = 1");
    const changes = listen(pool);
    await pool.exec("VACUUM");
    expect(changes).toEqual([{ ...change({}), schema: changes[0]?.schema, any: true }]);
    changes.length = 0;
    await pool.exec(`VACUUM INTO '${await temporaryPath()}'`);
    await pool.run("INSERT INTO t (x) VALUES (3)");
    expect(changes).toEqual([change({ t: [3] })]);
  });

  it("cannot be changed by a listener for those after it", async () => {
    const pool = await openPool();
    const heard = Promise.withResolvers<Change>();
    pool.on("change", ({ tables, rowids }) => {
      Reflect.set(tables, "length", 0);
      Reflect.set(rowids.t!, 0, 99);
      Reflect.deleteProperty(rowids, "t");
    });
    pool.once("change", (event) => {
      Reflect.set(event, "schema", true);
    });
    pool.once("change", heard.resolve);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect(await heard.promise).toEqual({
      tables: ["t"],
      rowids: { t: [1] },
      schema: false,
      external: false,
      any: false,
    });
  });

  it("is heard by all listeners, whichever of them throws, and what that is goes to the process", async () => {
    const pool = await openPool();
    const heard: string[] = [];
    const uncaught: unknown[] = [];
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error));
    onTestFinished(() => {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    });
    const broken = new Error("a listener's");
    pool.once("change", () => {
      throw broken;
    });
    pool.on("change", () => heard.push("second"));
    pool.once("change", () => heard.push("third"));
    await pool.run("INSERT INTO t (x) VALUES (1)");
    await until(() => uncaught.length > 0);
    await pool.run("INSERT INTO t (x) VALUES (2)");
    expect(heard).toEqual(["second", "third", "second"]);
    expect(uncaught).toEqual([broken]);
  });

  it("is heard once with once(), and no more after off()", async () => {
    const pool = await openPool();
    const heard: string[] = [];
    const first = (): void => void heard.push("first");
    const second = (): void => void heard.push("second");
    expect(pool.on("change", first).once("change", second)).toBe(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    await pool.run("INSERT INTO t (x) VALUES (2)");
    expect(heard.splice(0)).toEqual(["first", "second", "first"]);
    expect(pool.off("change", first)).toBe(pool);
    await pool.run("INSERT INTO t (x) VALUES (3)");
    expect(heard).toEqual([]);
    // Changes without a listener are not reported later.
    pool.once("change", first);
    await pool.run("INSERT INTO u (t) VALUES (3)");
    expect(heard).toEqual(["first"]);
    expect(() => pool.on("closed" as never, first)).toThrow(TypeError);
  });

  it("asks nothing of the threads while nobody listens", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ changePollInterval: EVERY });
    const listener = (): void => {};
    const timers = vi.getTimerCount();
    for (let i = 0; i < 2; i++) {
      await pool.run("INSERT INTO t (x) VALUES (1)");
      const { executed } = pool.stats();
      await pool.run("INSERT INTO t (x) VALUES (2)");
      expect(pool.stats().executed).toBe(executed + 1);
      pool.on("change", listener);
      await look(pool);
      await look(pool);
      pool.off("change", listener);
      expect(vi.getTimerCount()).toBe(timers);
      pool.once("change", listener);
      expect(vi.getTimerCount()).toBe(timers + 1);
      await pool.run("INSERT INTO t (x) VALUES (3)");
      expect(vi.getTimerCount()).toBe(timers);
    }
  });

  it("of a transaction that began before anybody listened says that any table may have changed", async () => {
    const pool = await openPool();
    const changes: Change[] = [];
    const listener = (told: Change): void => void changes.push(told);
    const begun = async (commit: boolean): Promise<void> => {
      await pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t (x) VALUES (1)");
        pool.on("change", listener);
        await tx.run("INSERT INTO u (t) VALUES (1)");
        if (!commit) throw new Error("undo");
      });
      pool.off("change", listener);
    };
    await begun(true);
    expect(changes.splice(0)).toEqual([{ ...change({ u: [1] }), any: true }]);
    await rejection(begun(false));
    expect(changes).toEqual([]);
  });

  it("goes on when a handle is opened afresh, and when the writer's thread dies", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    {
      await using db = await pool.acquire();
      await db.execute("PRAGMA cache_size = 100");
    }
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect(changes.splice(0)).toEqual([change({ t: [1] })]);
    await pool.createFunction("die", 0, new URL("../../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    expect(await rejection(pool.run("INSERT INTO t (x) VALUES (die())"))).toMatchObject({
      name: "WorkerCrashedError",
    });
    await pool.run("INSERT INTO t (x) VALUES (2)");
    // It is unknown whether the dead thread had committed something last.
    expect(changes).toEqual([{ ...change({}), any: true }, change({ t: [2] })]);
  });

  it("begins when the lock goes that is in the way of that", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    const pool = await openPool(
      { readers: 0, pragmas: { journal_mode: "delete" }, setup: tellsOfLocks },
      path,
    );
    // The rollback also drops the schema that the connection knew.
    await rejection(
      pool.transaction(async (tx) => {
        await tx.run("CREATE TABLE undone (x)");
        throw new Error("undo");
      }),
    );
    other.exec("BEGIN EXCLUSIVE");
    const changes = listen(pool);
    await lockMet(path);
    other.exec("COMMIT");
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect(changes).toEqual([change({ t: [1] })]);
  });

  it("works for a database in memory, also when its contents are replaced", async () => {
    const pool = await createPool(":memory:");
    onTestFinished(() => pool.close());
    await pool.exec(SCHEMA);
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect(changes.splice(0)).toEqual([change({ t: [1] })]);
    const source = await connect(":memory:");
    onTestFinished(() => source.close());
    await source.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (5, 5)");
    {
      await using db = await pool.acquire();
      await source.backup(db);
    }
    expect(await pool.all("SELECT id FROM t")).toEqual([{ id: 5 }]);
    expect(changes.splice(0)).toEqual([{ ...change({}), any: true }]);
    await pool.run("INSERT INTO t (x) VALUES (2)");
    expect(changes).toEqual([change({ t: [6] })]);
  });
});

describe.runIf(capabilities.changes)("what is changed beside locks and faults", () => {
  const rollback = { pragmas: { journal_mode: "delete" }, readers: 0, writers: 1 };

  it("is told although a lock had to be waited for before it was known which tables it changes", async () => {
    const pool = await openPool({ ...rollback, timeout: 20_000, setup: tellsOfLocks });
    const changes = listen(pool);
    await pool.run("INSERT INTO w VALUES (1, 1)");
    const other = openEngine(pool.path);
    other.exec("BEGIN EXCLUSIVE; CREATE TABLE late (a PRIMARY KEY) WITHOUT ROWID");
    const script = pool.exec("INSERT INTO w VALUES (2, 2); INSERT INTO w VALUES (3, 3)");
    const written = pool.run("INSERT INTO w VALUES (4, 4)");
    await lockMet(pool.path, 3);
    expect(changes.splice(0)).toEqual([change({ w: true })]);
    other.exec("COMMIT");
    expect(await written).toMatchObject({ changes: 1 });
    await script;
    expect(changes.map(({ tables }) => tables)).toEqual([["w"], ["w"]]);
  });

  it("is not told of a statement whose table somebody else has dropped meanwhile", async () => {
    const pool = await openPool(rollback);
    const changes = listen(pool);
    const insert = "INSERT INTO w VALUES (?, 0)";
    await pool.run("INSERT INTO w VALUES (?, NULL)", [1]);
    await pool.run(insert, [2]);
    openEngine(pool.path).exec("DROP TABLE w");
    expect(await rejection(pool.run(insert, [3]))).toMatchObject({ message: "no such table: w" });
    expect(await rejection(pool.exec("INSERT INTO w VALUES (4, 0)"))).toMatchObject({
      message: "no such table: w",
    });
    expect(changes.map(({ tables, schema }) => [tables, schema])).toEqual([
      [["w"], false],
      [["w"], false],
      [[], true],
    ]);
  });

  it("by others is told when their lock is gone", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ ...rollback, changePollInterval: EVERY, timeout: 20_000 });
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    const other = openEngine(pool.path);
    other.exec("BEGIN EXCLUSIVE; INSERT INTO t (x) VALUES (2)");
    await look(pool);
    expect(changes.splice(0)).toEqual([change({ t: [1] })]);
    other.exec("COMMIT");
    await look(pool);
    expect(changes).toEqual([{ ...change({}), external: true, any: true }]);
  });

  it("and could not be noted for want of memory is told as any change", async () => {
    const forgetful = new URL("../../fixtures/forgetful-native.mjs", import.meta.url).href;
    const pool = await openPool({
      readers: 0,
      createWorker: (url, options) => new Worker(url, { ...options, execArgv: ["--import", forgetful] }),
    });
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES ('forget')");
    await pool.run("INSERT INTO t (x) VALUES ('this one not')");
    expect(changes).toEqual([{ ...change({}), any: true }, change({ t: [2] })]);
  });
});

describe.runIf(capabilities.changes)("commits of others", () => {
  it("are told as external, without their tables, and once each", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ changePollInterval: EVERY });
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    await commitElsewhere(pool.path, "INSERT INTO t (x) VALUES (2)");
    for (let i = 0; i < 3; i++) await look(pool);
    const external = { ...change({}), external: true, any: true };
    expect(changes).toEqual([change({ t: [1] }), external]);
    // A second connection of this process is another one, too.
    openEngine(pool.path).exec("INSERT INTO t (x) VALUES (3)");
    for (let i = 0; i < 3; i++) await look(pool);
    expect(changes).toEqual([change({ t: [1] }), external, external]);
  });

  it("are looked for by the clock", async () => {
    const pool = await openPool({ changePollInterval: EVERY });
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    openEngine(pool.path).exec("INSERT INTO t (x) VALUES (2)");
    await until(() => changes.length > 1);
    expect(changes[1]).toMatchObject({ external: true, any: true });
  });

  it("keep no deferred transaction from writing, and its writes to tables that are not tracked are told", async () => {
    const pool = await openPool();
    const changes = listen(pool);
    const other = openEngine(pool.path);
    await pool.transaction(
      async (tx) => {
        await tx.get("SELECT 1");
        other.exec("INSERT INTO t (x) VALUES (1)");
        // To look at the schema before it would have begun a snapshot that is too old to write to.
        await tx.run("INSERT INTO t (x) VALUES (2)");
        await tx.run("INSERT INTO w VALUES (1, 1)");
        await tx.run("UPDATE w SET v = 2 WHERE k = 5");
        await tx.run("INSERT INTO f VALUES ('word')");
      },
      { mode: "deferred" },
    );
    await until(() => changes.some(({ tables }) => tables.includes("w")));
    const told = changes.find(({ tables }) => tables.includes("w"))!;
    expect([...told.tables].filter((name) => !name.startsWith("f_")).toSorted()).toEqual(["f", "t", "w"]);
    expect(told.rowids).toMatchObject({ t: [2] });
  });

  it("are looked for between transactions, whose snapshot stays their own", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ changePollInterval: EVERY });
    const changes = listen(pool);
    {
      await using db = await pool.acquire();
      db.isolationLevel = null;
      await db.execute("BEGIN");
      openEngine(pool.path).exec("INSERT INTO t (x) VALUES (1)");
      await look(pool);
      // A look would have begun the snapshot.
      openEngine(pool.path).exec("INSERT INTO t (x) VALUES (2)");
      expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1], [2]]);
      expect(changes).toEqual([]);
      await db.execute("COMMIT");
    }
    await look(pool);
    expect(changes).toMatchObject([{ external: true, any: true }]);
  });

  it("are told apart from those of the pool's other writers", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ readers: 0, writers: 2, changePollInterval: EVERY });
    const changes = listen(pool);
    {
      // Both are open.
      await using one = await pool.acquire();
      await using other = await pool.acquire();
      await one.execute("INSERT INTO t (x) VALUES (1)");
      await one.commit();
      // What a look has seen is judged by the next one.
      for (let i = 0; i < 3; i++) await look(pool);
      await other.execute("INSERT INTO t (x) VALUES (2)");
      await other.commit();
      for (let i = 0; i < 3; i++) await look(pool);
    }
    expect(changes.splice(0)).toEqual([change({ t: [1] }), change({ t: [2] })]);
    openEngine(pool.path).exec("INSERT INTO t (x) VALUES (3)");
    for (let i = 0; i < 3; i++) await look(pool);
    expect(changes).toMatchObject([{ external: true }]);
  });

  it("are noticed although the handle was opened afresh in between", async () => {
    const { look } = looksByHand();
    const pool = await openPool({ changePollInterval: EVERY });
    const changes = listen(pool);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    changes.length = 0;
    openEngine(pool.path).exec("INSERT INTO t (x) VALUES (2)");
    {
      await using db = await pool.acquire();
      await db.execute("PRAGMA cache_size = 100");
    }
    await quiet(pool);
    await look(pool);
    expect(changes).toEqual([{ ...change({}), external: true, any: true }]);
  });

  it("are noticed although they came while the handle was opened afresh", async () => {
    const { look } = looksByHand();
    const setup = new URL("../../fixtures/setup-commits.mjs", import.meta.url);
    const pool = await openPool({ changePollInterval: EVERY, setup });
    const changes = listen(pool);
    {
      await using db = await pool.acquire();
      await db.execute("PRAGMA cache_size = 100");
    }
    await quiet(pool);
    expect(changes).toEqual([]);
    for (let i = 0; i < 2; i++) await look(pool);
    expect(changes).toEqual([{ ...change({}), external: true, any: true }]);
  });

  it("are noticed in a database that was attached to a fresh handle again", async () => {
    const { look } = looksByHand();
    const extra = await temporaryPath();
    const other = openEngine(extra);
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE note (x)");
    const pool = await openPool({
      changePollInterval: EVERY,
      onConnect: async (db) => {
        await db.execute("ATTACH ? AS extra", [extra]);
      },
    });
    const changes = listen(pool);
    {
      await using db = await pool.acquire();
      await db.execute("PRAGMA cache_size = 100");
    }
    await quiet(pool);
    other.exec("INSERT INTO note VALUES (1)");
    for (let i = 0; i < 2; i++) await look(pool);
    expect(changes).toEqual([{ ...change({}), external: true, any: true }]);
  });

  it("are looked for by the replacement of a thread that died before it had looked", async () => {
    const workers: Worker[] = [];
    const { look } = looksByHand();
    const pool = await openPool({
      changePollInterval: EVERY,
      createWorker: (url, options) => {
        const worker = new Worker(url, options);
        workers.push(worker);
        return worker;
      },
    });
    const held = await holds(pool);
    const changes = listen(pool);
    const running = rejection(pool.run("INSERT INTO t SELECT 1, hold(?)", [held.name(0)]));
    await held.entered(0);
    // Several checks are due meanwhile; the first waits for the thread.
    vi.advanceTimersByTime(5 * EVERY);
    await workers[0]!.terminate();
    expect(await running).toMatchObject({ name: "WorkerCrashedError" });
    await pool.run("INSERT INTO t (x) VALUES (1)");
    changes.length = 0;
    openEngine(pool.path).exec("INSERT INTO t (x) VALUES (2)");
    await look(pool);
    expect(changes).toEqual([{ ...change({}), external: true, any: true }]);
  });

  it("are looked for every so many milliseconds, a whole number", async () => {
    expect(await rejection(createPool(":memory:", { changePollInterval: 0.5 }))).toBeInstanceOf(TypeError);
    expect(await rejection(createPool(":memory:", { changePollInterval: -1 }))).toBeInstanceOf(RangeError);
  });
});

describe.runIf(capabilities.changes)("with an engine that the native companion does not get into", () => {
  it("nobody is told, and a warning says so for each writer that is opened", async () => {
    const warnings: string[] = [];
    const hear = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    const engine = new URL("../../fixtures/engine-without-extensions.mjs", import.meta.url);
    const pool = await openPool({ engine, readers: 0, writers: 2 });
    const changes = listen(pool);
    await until(() => warnings.length === 1);
    await Promise.all((await Promise.all([pool.acquire(), pool.acquire()])).map((conn) => conn.close()));
    await until(() => warnings.length === 2);
    expect(pool.stats().writers).toBe(2);
    const warning =
      'there will be no change events: the event "change" needs the package @sqlite-aio/native, which this engine cannot load as an extension';
    expect(warnings).toEqual([warning, warning]);
    await pool.run("INSERT INTO t (x) VALUES (1)");
    expect(changes).toEqual([]);
    expect(await rejection(pool.watch("SELECT * FROM t").next())).toMatchObject({
      name: "NotSupportedError",
    });
  });
});

describe.runIf(!capabilities.changes)("without the native companion", () => {
  it("nobody can listen, and the error names the package", async () => {
    const pool = await openPool();
    for (const call of [
      async () => pool.on("change", () => {}),
      async () => pool.once("change", () => {}),
      () => pool.watch("SELECT 1 FROM t").next(),
    ]) {
      const error = await rejection(call);
      expect(error, String(call)).toMatchObject({ name: "NotSupportedError" });
      expect((error as Error).message, String(call)).toContain("@sqlite-aio/native");
    }
    pool.off("change", () => {});
    await pool.run("INSERT INTO t (x) VALUES (1)");
  });
});
