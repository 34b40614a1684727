import { type Connection, ConnectionClosedError, type Pool, ProgrammingError, Row } from "@sqlite-aio/core";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { filledPool, holds, openPool, outcomes, slowModule, until } from "../support/pool-support.ts";

const filled = (options = {}, path?: string): Promise<Pool> =>
  filledPool(3, { readers: 1, ...options }, path);

const QUESTIONS = {
  rows: "SELECT count(*) FROM t",
  temporary: "SELECT count(*) FROM sqlite_temp_schema",
  databases: "SELECT group_concat(name) FROM pragma_database_list WHERE name <> 'temp'",
  foreignKeys: "PRAGMA foreign_keys",
  recursiveTriggers: "PRAGMA recursive_triggers",
  functions: "SELECT count(*) FROM pragma_function_list WHERE name LIKE 'my\\_%' ESCAPE '\\'",
  upper: "SELECT upper('a')",
};

/** What the next holder could see of the previous one. */
async function traces(conn: Connection): Promise<unknown> {
  const { inTransaction } = conn;
  const settings = [conn.isolationLevel, conn.rowFactory, conn.textFactory];
  const answers = await Promise.all(
    Object.values(QUESTIONS).map(async (sql) => (await conn.executeFetchall<unknown[]>(sql))[0]?.[0]),
  );
  return {
    ...Object.fromEntries(Object.keys(QUESTIONS).map((name, i) => [name, answers[i]])),
    inTransaction,
    settings,
  };
}

const CLEAN = {
  inTransaction: false,
  rows: 3,
  temporary: 0,
  databases: "main",
  foreignKeys: 1,
  recursiveTriggers: 0,
  functions: 0,
  upper: "A",
  settings: ["DEFERRED", null, String],
};

const DIRT: [string, (conn: Connection) => Promise<unknown>][] = [
  ["an open transaction", (conn) => conn.execute("INSERT INTO t VALUES (9)")],
  ["an exclusive transaction", (conn) => conn.executescript("BEGIN EXCLUSIVE; DELETE FROM t")],
  [
    "an open savepoint",
    (conn) => conn.executescript("SAVEPOINT s; DELETE FROM t; SAVEPOINT s2; DROP TABLE t"),
  ],
  ["a half-read cursor", (conn) => conn.execute("SELECT t.a FROM t, t AS u, t AS v, t AS w, t AS x")],
  [
    "a half-read cursor in a transaction",
    async (conn) => {
      await conn.execute("DELETE FROM t");
      await (await conn.execute("INSERT INTO t VALUES (1), (2) RETURNING a")).fetchone();
      await (await conn.execute("SELECT a FROM t, (VALUES (1), (2), (3))")).fetchone();
    },
  ],
  ["a half-read dump", (conn) => conn.iterdump()[Symbol.asyncIterator]().next()],
  ["a temporary table", (conn) => conn.execute("CREATE TEMP TABLE mine (a)")],
  ["a temporary table in place of another", (conn) => conn.executescript("CREATE TEMP TABLE t (a)")],
  [
    "a temporary trigger",
    (conn) => conn.execute("CREATE TEMP TRIGGER mine AFTER INSERT ON main.t BEGIN DELETE FROM t; END"),
  ],
  [
    "a temporary view, made by executemany",
    (conn) => conn.executemany("CREATE TEMP VIEW t AS SELECT 1 AS a", [[]]),
  ],
  ["a temporary table by its schema's name", (conn) => conn.execute("CREATE TABLE temp.t (a)")],
  [
    "a pragma that executemany refuses when it is compiled, and so has had its effect",
    async (conn) => {
      expect(await rejection(conn.executemany("PRAGMA foreign_keys = OFF", [[]]))).toMatchObject({
        message: "executemany() can only execute DML statements.",
      });
    },
  ],
  ["an attached database", (conn) => conn.execute("ATTACH ':memory:' AS other")],
  ["a pragma", (conn) => conn.execute("PRAGMA foreign_keys = OFF")],
  ["a pragma in brackets", (conn) => conn.execute("PRAGMA foreign_keys(0)")],
  ["a pragma of a script", (conn) => conn.executescript("SELECT 1; PRAGMA recursive_triggers = 1")],
  ["a pragma that is only explained", (conn) => conn.execute("EXPLAIN PRAGMA foreign_keys = OFF")],
  ["a function", (conn) => conn.createFunction("my_function", 0, () => 1)],
  ["a function in place of a built-in one", (conn) => conn.createFunction("upper", 1, () => "mine")],
  [
    "settings of the connection",
    async (conn) => {
      conn.isolationLevel = null;
      conn.rowFactory = Row;
      conn.textFactory = Buffer;
      await conn.setTraceCallback(() => {});
      await conn.enableLoadExtension(true);
    },
  ],
  [
    "a transaction() that goes on",
    async (conn) => {
      const begun = gate();
      conn
        .transaction(async (tx) => {
          await tx.execute("DELETE FROM t");
          begun.open();
          await new Promise(() => {});
        })
        .catch(() => {});
      await begun.opened;
    },
  ],
];

it("a lease that is given back is over when the backup is that its holder has begun", async () => {
  const pool = await filled();
  const conn = await pool.acquire();
  await conn.executescript("CREATE TABLE more (a); INSERT INTO more SELECT zeroblob(100000)");
  const path = await temporaryPath("copy.db");
  const order: string[] = [];
  const closed = gate();
  const backup = conn.backup(path, {
    pages: 1,
    progress: () => {
      if (order.length > 0) return;
      order.push("begun");
      void conn.close().then(() => {
        order.push("given back");
        closed.open();
      });
    },
  });
  await backup.then(() => order.push("copied"));
  await closed.opened;
  expect(order).toEqual(["begun", "copied", "given back"]);
  expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(3);
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
  expect(pool.stats()).toMatchObject({ respawned: 0, busy: 0 });
});

describe("the next holder never sees a trace of", () => {
  it.each(DIRT)("%s, a hundred times", async (_title, dirty) => {
    const pool = await filled();
    for (let i = 0; i < 100; i++) {
      const conn = await pool.acquire();
      await dirty(conn);
      // Closed by itself, by the pool, and by several at once.
      if (i % 3 === 0) void conn.close();
      else if (i % 3 === 1) void pool.release(conn);
      else await pool.release(conn);
      const next = await pool.acquire();
      expect(await traces(next)).toEqual(CLEAN);
      await next.close();
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
    expect(pool.stats()).toMatchObject({ writers: 1, respawned: 0 });
  });

  it("a transaction, a cursor or a pragma on a reader", async () => {
    const pool = await filled();
    for (const dirty of [
      (conn: Connection) => conn.executescript("BEGIN; SELECT * FROM t"),
      (conn: Connection) => conn.execute("SELECT t.a FROM t, t AS u, t AS v, t AS w, t AS x"),
      (conn: Connection) => conn.execute("PRAGMA foreign_keys = OFF"),
      (conn: Connection) => conn.execute("PRAGMA query_only = OFF"),
      (conn: Connection) => conn.executescript("PRAGMA query_only = OFF; CREATE TEMP TABLE t (a)"),
    ]) {
      for (let i = 0; i < 20; i++) {
        const conn = await pool.acquire({ mode: "read" });
        await dirty(conn);
        await conn.close();
        const [rows] = await Promise.all([
          pool.get("SELECT count(*) AS n, (SELECT count(*) FROM sqlite_temp_schema) AS temp FROM t"),
          pool.run("UPDATE t SET a = a"),
        ]);
        expect(rows).toEqual({ n: 3, temp: 0 });
        const next = await pool.acquire({ mode: "read" });
        expect(next.inTransaction).toBe(false);
        expect(await next.executeFetchall("PRAGMA query_only")).toEqual([[1]]);
        expect(await next.executeFetchall("PRAGMA foreign_keys")).toEqual([[1]]);
        await next.close();
      }
    }
    expect(pool.stats()).toMatchObject({ readers: 1, respawned: 0 });
  });

  it("a transaction of the pool that changed the connection", async () => {
    const pool = await filled();
    for (let i = 0; i < 20; i++) {
      await pool
        .transaction(async (tx) => {
          await tx.exec("CREATE TEMP TABLE t (a); PRAGMA recursive_triggers = 1; ATTACH ':memory:' AS other");
          expect(await tx.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
        })
        .catch(() => {});
      await using next = await pool.acquire();
      expect(await traces(next)).toEqual(CLEAN);
    }
  });
});

describe("acquire()", () => {
  it("lends a connection of the mirror, which nobody else uses meanwhile", async () => {
    const pool = await filled();
    const conn = await pool.acquire();
    const order: string[] = [];
    const waiting = pool.run("INSERT INTO t VALUES (4)").then(() => order.push("run"));
    const cursor = await conn.execute("SELECT a FROM t WHERE a > ?", [1]);
    expect(await cursor.fetchall()).toEqual([[2], [3]]);
    await conn.execute("DELETE FROM t");
    expect(conn.inTransaction).toBe(true);
    await conn.rollback();
    order.push("released");
    await conn.close();
    await waiting;
    expect(order).toEqual(["released", "run"]);
  });

  it("gives the connection back at the end of `await using`, and what is not committed is undone", async () => {
    const pool = await filled();
    {
      await using conn = await pool.acquire();
      await conn.execute("DELETE FROM t");
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
    {
      await using conn = await pool.acquire();
      await conn.execute("DELETE FROM t");
      await conn.commit();
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
  });

  it("takes a second release, and a close, for the first", async () => {
    const pool = await filled();
    const conn = await pool.acquire();
    await Promise.all([pool.release(conn), pool.release(conn), conn.close(), conn.stop()]);
    const other = await pool.acquire();
    await pool.release(conn);
    await conn.close();
    // The connection is the other's now.
    expect(await other.executeFetchall("SELECT count(*) FROM t")).toEqual([[3]]);
    expect(pool.stats()).toMatchObject({ busy: 1, pending: 1 });
    await other.close();
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
  });

  it("rejects to release what is not its own", async () => {
    const pool = await filled();
    const stranger = await openPool({}, ":memory:");
    await using conn = await stranger.acquire();
    expect(await rejection(pool.release(conn))).toBeInstanceOf(ProgrammingError);
    expect(await conn.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("leaves a released connection that rejects every call", async () => {
    const pool = await filled();
    const conn = await pool.acquire();
    const cursor = await conn.execute("SELECT t.a FROM t, t AS u, t AS v, t AS w, t AS x");
    const idle = await conn.cursor();
    await pool.release(conn);
    const calls: (() => Promise<unknown>)[] = [
      () => conn.execute("DELETE FROM t"),
      () => conn.executemany("DELETE FROM t WHERE a = ?", [[1]]),
      () => conn.executescript("DELETE FROM t"),
      () => conn.executeFetchall("SELECT 1"),
      () => conn.executeInsert("INSERT INTO t VALUES (1)"),
      () => conn.commit(),
      () => conn.rollback(),
      () => conn.cursor(),
      () => conn.transaction(() => 1),
      () => conn.createFunction("f", 0, () => 1),
      () => conn.serialize(),
      () => conn.iterdump()[Symbol.asyncIterator]().next(),
      () => conn.backup("/nowhere/backup.db"),
      () => cursor.fetchone(),
      () => cursor.fetchall(),
      () => idle.execute("DELETE FROM t"),
    ];
    for (const call of calls) {
      const error = await rejection(call);
      expect(error, String(call)).toBeInstanceOf(ConnectionClosedError);
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
  });

  it("answers calls that are pending at the release, runs none of those that wait, and then undoes all", async () => {
    const pool = await filled();
    const conn = await pool.acquire();
    const pending = conn.executeFetchall("SELECT count(*) FROM t");
    const begun = gate();
    const released = gate();
    const transaction = conn.transaction(async (tx) => {
      await tx.execute("INSERT INTO t VALUES (5)");
      begun.open();
      await released.opened;
    });
    const behind = conn.execute("INSERT INTO t VALUES (6)");
    const results = outcomes([pending, transaction, behind]);
    await begun.opened;
    await pool.release(conn);
    released.open();
    const [first, second, third] = await results;
    expect(first).toEqual([[3]]);
    expect(second).toBeInstanceOf(ProgrammingError);
    expect(third).toBeInstanceOf(ProgrammingError);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
    expect(pool.stats().respawned).toBe(0);
  });

  it("keeps a function, a backup or a dump of the last holder from reaching the next one", async () => {
    const pool = await filled();
    for (let i = 0; i < 20; i++) {
      const conn = await pool.acquire();
      const dump = conn.iterdump()[Symbol.asyncIterator]();
      await dump.next();
      const late = outcomes([
        conn.createFunction("my_slug", 1, new URL("../fixtures/functions.mjs", import.meta.url), {
          export: "slug",
        }),
        conn.createFunction("my_closure", 0, () => 1),
      ]);
      void pool.release(conn);
      const next = await pool.acquire();
      const cursor = await next.execute("SELECT a FROM t");
      // Ends a cursor of the first lease, not of the second.
      await dump.return?.(undefined);
      await late;
      expect(await cursor.fetchall()).toEqual([[1], [2], [3]]);
      expect(await traces(next)).toEqual(CLEAN);
      await next.close();
    }
  });

  it("waits for a module that the last holder has not loaded yet, and gives nobody its function", async () => {
    const pool = await filled();
    const late = await slowModule();
    const conn = await pool.acquire();
    const defined = outcomes([conn.createFunction("my_late", 0, late.url)]);
    await late.entered();
    const { executed } = pool.stats();
    const released = conn.close();
    const next = outcomes([pool.acquire()]);
    await until(() => pool.stats().executed > executed);
    expect(pool.stats().waiting).toBe(1);
    await late.release();
    expect(await defined).toEqual([undefined]);
    await released;
    const [holder] = (await next) as [Connection];
    expect(await traces(holder)).toEqual(CLEAN);
    await holder.close();
  });

  it("does not let a failed executemany of one holder skip one of the next", async () => {
    const pool = await filled();
    const sets = Array.from({ length: 3000 }, (_, i) => [i]);
    for (let i = 0; i < 5; i++) {
      await using conn = await pool.acquire();
      await conn.execute("CREATE TEMP TABLE u (a CHECK (a < 2500))");
      expect(await rejection(conn.executemany("INSERT INTO u VALUES (?)", sets))).toMatchObject({
        code: "SQLITE_CONSTRAINT_CHECK",
      });
      await conn.close();
      await using next = await pool.acquire();
      await next.execute("CREATE TEMP TABLE u (a)");
      expect((await next.executemany("INSERT INTO u VALUES (?)", sets)).rowcount).toBe(3000);
    }
  });

  it("keeps a database in memory, whatever its holder was doing", async () => {
    const pool = await filled({}, ":memory:");
    for (const [title, dirty] of DIRT) {
      const conn = await pool.acquire();
      await dirty(conn);
      await pool.release(conn);
      await using next = await pool.acquire();
      expect(await traces(next), title).toEqual(CLEAN);
    }
    expect(pool.stats()).toMatchObject({ respawned: 0, writers: 1 });
  });

  it("rejects at once when its signal is aborted, waiting or before", async () => {
    const pool = await filled();
    const reason = new Error("no longer wanted");
    expect(await rejection(pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
    const conn = await pool.acquire();
    const controller = new AbortController();
    const waiting = pool.acquire({ signal: controller.signal });
    const behind = pool.acquire();
    controller.abort(reason);
    expect(await rejection(waiting)).toBe(reason);
    await conn.close();
    await (await behind).close();
    // Once it is there, the signal has no say.
    const late = new AbortController();
    await using kept = await pool.acquire({ signal: late.signal });
    late.abort();
    expect(await kept.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("rejects wrong options", async () => {
    const pool = await filled();
    expect(await rejection(pool.acquire({ mode: "rw" as never }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.acquire({ signal: 1 as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.acquire(null as never))).toBeInstanceOf(TypeError);
  });
});

describe("leakWarning", () => {
  it("tells of a lease that is held for too long, and where it was acquired", async () => {
    const pool = await filled({ leakWarning: 20 });
    const warnings: (Error & { code?: string })[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    try {
      const conn = await pool.acquire();
      await until(() => warnings.length === 1);
      await conn.close();
      await pool.read(() => until(() => warnings.length === 2));
      for await (const row of pool.iterate("SELECT a FROM t")) {
        expect(row).toEqual({ a: 1 });
        await until(() => warnings.length === 3);
        break;
      }
      await pool.transaction(() => until(() => warnings.length === 4));
    } finally {
      process.off("warning", listen);
    }
    const what = ["acquire()", "read()", "iterate()", "transaction()"];
    for (const [i, { name, code, message }] of warnings.entries()) {
      expect({ name, code }).toEqual({ name: "ResourceWarning", code: "SQLITE_AIO_LEAK" });
      expect(message).toContain(what[i]);
      expect(message).toContain("20 ms");
      expect(message).toMatch(/lease\.test\.ts:\d+:\d+/);
    }
  });

  it("tells of one also where nobody knows the place", async () => {
    const pool = await filled({ leakWarning: 10 });
    const warned = once(process, "warning");
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    const acquired = pool.acquire();
    Error.stackTraceLimit = stackTraceLimit;
    await using _ = await acquired;
    expect(await warned).toMatchObject([
      {
        code: "SQLITE_AIO_LEAK",
        message: "acquire() has held a connection for more than 10 ms; it was called at an unknown place",
      },
    ]);
  });

  it("says nothing of one that is given back in time", async () => {
    const pool = await filled({ leakWarning: 60_000 });
    let warnings = 0;
    const listen = (): void => void warnings++;
    process.on("warning", listen);
    for (let i = 0; i < 10; i++) await (await pool.acquire()).close();
    process.off("warning", listen);
    expect(warnings).toBe(0);
  });
});

it("a lease that is released while its statement runs keeps nobody waiting but those who want the writer", async () => {
  const pool = await filled();
  const held = await holds(pool);
  const conn = await pool.acquire({ mode: "read" });
  const running = conn.executeFetchall("SELECT hold(?)", [held.name(0)]);
  await held.entered(0);
  const released = conn.close();
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
  await held.release(0);
  expect(await running).toEqual([[1]]);
  await released;
  await until(() => pool.stats().readers === 1);
});
