import {
  type ClusterPool,
  createPool,
  DataError,
  IntegrityError,
  NotSupportedError,
  type OperationalError,
  PrimaryError,
  ProgrammingError,
} from "@sqlite-aio/core";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { rejection } from "../support/database.ts";
import { until } from "../support/pool-support.ts";
import { openRemote, openReplica } from "./open.ts";
import { Proxy } from "./proxy.ts";
import { Server } from "./server.ts";
import { tokens } from "./tokens.ts";

const SCHEMA = [
  "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b)",
  "CREATE TABLE strict (a INTEGER NOT NULL) STRICT",
];

/** Each kind of pool, on a server of its own. */
const KINDS = [
  { kind: "a replica", open: (server: Server): Promise<ClusterPool> => openReplica(server) },
  { kind: "no replica", open: (server: Server): Promise<ClusterPool> => openRemote(server) },
] as const;

async function withTables(
  open: (server: Server) => Promise<ClusterPool>,
): Promise<{ server: Server; pool: ClusterPool }> {
  const server = await Server.start();
  const pool = await open(server);
  await pool.batch(SCHEMA);
  return { server, pool };
}

/** A pool without a replica, in which three may wait. */
async function limited({ url }: { readonly url: string }): Promise<ClusterPool> {
  const pool = await createPool(url as `http://${string}`, { engine: "libsql", maxWaiting: 3 });
  onTestFinished(() => pool.close({ timeout: 1000 }));
  return pool;
}

const COUNT = "SELECT count(*) AS n FROM t";

describe.each(KINDS)("a pool with $kind", ({ open }) => {
  it("writes at the primary, and reads what it has written", async () => {
    const { pool } = await withTables(open);
    expect(await pool.run("INSERT INTO t (a) VALUES (?)", ["x"])).toEqual({ changes: 1, lastInsertRowid: 1 });
    expect(await pool.run("INSERT INTO t (a) VALUES (:a)", { a: "y" })).toEqual({
      changes: 1,
      lastInsertRowid: 2,
    });
    expect(await pool.run("UPDATE t SET b = 1")).toMatchObject({ changes: 2 });
    expect(await pool.get("INSERT INTO t (a) VALUES ('z') RETURNING id, a")).toEqual({ id: 3, a: "z" });
    expect(await pool.all("SELECT id, a FROM t")).toEqual([
      { id: 1, a: "x" },
      { id: 2, a: "y" },
      { id: 3, a: "z" },
    ]);
    const columns = ["id", "b"];
    expect(await pool.execute("SELECT id, b FROM t WHERE id < 3")).toMatchObject({
      columns,
      rows: [
        [1, 1],
        [2, 1],
      ],
    });
    const rows: unknown[] = [];
    for await (const row of pool.iterate("SELECT id FROM t")) rows.push(row);
    expect(rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    await pool.exec("DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 2; -- no more");
    expect(await pool.get(COUNT)).toEqual({ n: 1 });
  });

  it("reads each of many writes at once, from as many callers", async () => {
    const { pool } = await withTables(open);
    const write = async (i: number): Promise<void> => {
      await pool.run("INSERT INTO t (id, a) VALUES (?, ?)", [i, i]);
      expect(await pool.get("SELECT a FROM t WHERE id = ?", [i])).toEqual({ a: i });
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => write(i)));
    expect(await pool.get(COUNT)).toEqual({ n: 100 });
  });

  it("gives values back as the types they were", async () => {
    const { pool } = await withTables(open);
    const values = [
      1,
      1.5,
      -0.5,
      2n ** 63n - 1n,
      -(2n ** 63n),
      "text ✓",
      "",
      Buffer.from([0, 255]),
      null,
      9007199254740991,
    ];
    for (const [id, value] of values.entries())
      await pool.run("INSERT INTO t (id, b) VALUES (?, ?)", [id, value]);
    const sql = "SELECT b FROM t ORDER BY id";
    expect((await pool.all<{ b: unknown }>(sql)).map(({ b }) => b)).toEqual(values);
    // At the primary itself.
    const rows = await pool.transaction((tx) => tx.all<{ b: unknown }>(sql));
    expect(rows.map(({ b }) => b)).toEqual(values);
    expect(await pool.get("SELECT typeof(b) AS type FROM t WHERE id = 0")).toEqual({ type: "integer" });
    await pool.run("INSERT INTO t (id, b) VALUES (?, ?)", [100, Number.NaN]);
    expect(await pool.get("SELECT b FROM t WHERE id = 100")).toEqual({ b: null });
    expect(await rejection(pool.run("INSERT INTO t (b) VALUES (?)", [1 / 0]))).toBeInstanceOf(DataError);
    expect(await rejection(pool.run("INSERT INTO t (b) VALUES (?)", [2n ** 63n]))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.run("INSERT INTO t (b) VALUES (?)", [new Date()] as never))).toBeInstanceOf(
      ProgrammingError,
    );
  });

  it("runs a batch in one transaction: all of it, or nothing", async () => {
    const { pool } = await withTables(open);
    const results = await pool.batch([
      ["INSERT INTO t (a) VALUES (?)", ["x"]],
      { sql: "INSERT INTO t (a) VALUES (:a)", values: { a: "y" } },
      "SELECT a FROM t",
    ]);
    expect(results).toEqual([
      { changes: 1, lastInsertRowid: 1, rows: [] },
      { changes: 1, lastInsertRowid: 2, rows: [] },
      { changes: 0, lastInsertRowid: expect.any(Number) as number, rows: [{ a: "x" }, { a: "y" }] },
    ]);
    const error = await rejection(
      pool.batch([
        ["INSERT INTO t (a) VALUES ('z')"],
        ["INSERT INTO t (a) VALUES (?)", ["x"]],
        "DELETE FROM t",
      ]),
    );
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ sql: "INSERT INTO t (a) VALUES (?)", code: "SQLITE_CONSTRAINT_UNIQUE" });
    expect(
      await rejection(
        pool.batch([
          "INSERT INTO t (a) VALUES ('z')",
          "INSERT OR ROLLBACK INTO t (a) VALUES ('x')",
          "DELETE FROM t",
        ]),
      ),
    ).toBeInstanceOf(IntegrityError);
    expect(await pool.get(COUNT)).toEqual({ n: 2 });
    expect(await rejection(pool.batch(["BEGIN"]))).toBeInstanceOf(ProgrammingError);
    expect(await rejection(pool.batch([{ text: "SELECT 1" } as never]))).toBeInstanceOf(TypeError);
    expect(await pool.batch([])).toEqual([]);
  });

  it("commits a transaction when its callback returns, and rolls it back when it throws", async () => {
    const { pool } = await withTables(open);
    const n = await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t (a) VALUES (?)", ["x"]);
      await tx.exec("INSERT INTO t (a) VALUES ('y'); INSERT INTO t (a) VALUES ('z')");
      const rows: unknown[] = [];
      for await (const row of tx.iterate("SELECT a FROM t")) rows.push(row);
      expect(rows).toHaveLength(3);
      await tx
        .transaction(async (inner) => {
          await inner.run("DELETE FROM t");
          throw new Error("no");
        })
        .catch(() => {});
      return await tx.get<{ n: number }>(COUNT);
    });
    expect(n).toEqual({ n: 3 });
    expect(await pool.get(COUNT)).toEqual({ n: 3 });

    const no = new Error("no");
    const failed = pool.transaction(async (tx) => {
      await tx.run("DELETE FROM t");
      throw no;
    });
    expect(await rejection(failed)).toBe(no);
    expect(await pool.get(COUNT)).toEqual({ n: 3 });
  });

  it("runs nothing more of a transaction that an error has ended", async () => {
    const { pool } = await withTables(open);
    await pool.run("INSERT INTO t (a) VALUES ('x')");
    const failed = pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t (a) VALUES ('y')");
      const error = await rejection(tx.run("INSERT OR ROLLBACK INTO t (a) VALUES ('x')"));
      expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
      expect(await rejection(tx.run("INSERT INTO t (a) VALUES ('z')"))).toMatchObject({
        code: "SQLITE_ABORT_ROLLBACK",
      });
    });
    expect(await rejection(failed)).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK", rolledBack: true });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: "x" }]);
  });

  it("throws where the pool is used inside of its own transaction", async () => {
    const { pool } = await withTables(open);
    for (const call of [
      () => pool.run("DELETE FROM t"),
      () => pool.get(COUNT),
      () => pool.batch([]),
      () => pool.sync(),
    ]) {
      expect(await rejection(pool.transaction(async () => void (await call())))).toBeInstanceOf(
        ProgrammingError,
      );
    }
  });

  it("rejects at once what cannot be done in a cluster", async () => {
    const { server, pool } = await withTables(open);
    // No request is sent for it.
    server.hang();
    const refused = [
      "ATTACH 'x' AS y",
      "DETACH y",
      "VACUUM",
      "VACUUM INTO 'x'",
      "ANALYZE",
      "CREATE TEMP TABLE x (a)",
      "CREATE TEMPORARY VIEW x AS SELECT 1",
      "PRAGMA journal_mode = DELETE",
      "PRAGMA main.cache_size(5)",
      "PRAGMA optimize",
      "PRAGMA wal_checkpoint",
    ];
    for (const sql of refused) {
      for (const call of [pool.run(sql), pool.all(sql), pool.batch([sql]), pool.exec(`SELECT 1; ${sql}`)]) {
        expect(await rejection(call), sql).toMatchObject({
          name: "NotSupportedError",
          code: "SQLITE_AIO_CLUSTER",
        });
      }
    }
    expect(await rejection(pool.createFunction())).toBeInstanceOf(NotSupportedError);
    expect(await rejection(pool.executemany())).toMatchObject({ code: "SQLITE_AIO_CLUSTER" });
    for (const sql of ["BEGIN", "COMMIT", "SAVEPOINT a", "/* no */ ROLLBACK"]) {
      expect(await rejection(pool.run(sql)), sql).toBeInstanceOf(ProgrammingError);
    }
    server.resume();
    const denied = pool.transaction(async (tx) => await rejection(tx.executemany()));
    expect(await denied).toMatchObject({ code: "SQLITE_AIO_CLUSTER" });
  });

  it("has the errors of a database on this machine", async () => {
    const { pool } = await withTables(open);
    const errors: readonly (readonly [string, string])[] = [
      ["OperationalError SQLITE_ERROR no such table: nope", "SELECT * FROM nope"],
      ["OperationalError SQLITE_ERROR no such table: nope", "INSERT INTO nope VALUES (1)"],
      [
        "IntegrityError SQLITE_CONSTRAINT_NOTNULL NOT NULL constraint failed: strict.a",
        "INSERT INTO strict VALUES (NULL)",
      ],
      [
        "IntegrityError SQLITE_CONSTRAINT_DATATYPE cannot store TEXT value in INTEGER column strict.a",
        "INSERT INTO strict VALUES ('x')",
      ],
    ];
    for (const [expected, sql] of errors) {
      const { name, code, message, sql: told } = (await rejection(pool.all(sql))) as OperationalError;
      expect(`${name} ${code} ${message}`).toBe(expected);
      expect(told).toBe(sql);
    }
    for (const megabytes of [5, 9]) {
      const error = await rejection(
        pool.run("INSERT INTO t (b) VALUES (?)", [Buffer.alloc(megabytes * 1e6)]),
      );
      expect(error).toMatchObject({ name: "DataError", code: "SQLITE_TOOBIG" });
    }
    expect(await rejection(pool.run("INSRT INTO t VALUES (1)"))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_ERROR",
    });
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES (?)"))).toBeInstanceOf(ProgrammingError);
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES (1); DELETE FROM t"))).toBeInstanceOf(
      ProgrammingError,
    );
    const mixed = pool.run("INSERT INTO t (a, b) VALUES (?1, :b)", ["x", "y"]);
    expect(await rejection(mixed)).toBeInstanceOf(NotSupportedError);
  });

  it("names the caller's line in an error's stack", async () => {
    const { pool } = await withTables(open);
    const error = (await rejection(pool.run("INSERT INTO nope VALUES (1)"))) as Error;
    expect(error.stack).toContain("writes.suite.ts");
  });

  it("gives up a call whose signal is aborted, or whose timeout is over", async () => {
    const { server, pool } = await withTables(open);
    const reason = new Error("no more");
    expect(await rejection(pool.run("DELETE FROM t", [], { signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    );
    server.hang();
    const controller = new AbortController();
    const call = pool.run("INSERT INTO t (a) VALUES (1)", [], { signal: controller.signal });
    const late = pool.run("INSERT INTO t (a) VALUES (2)", [], { timeout: 20 });
    controller.abort(reason);
    expect(await rejection(call)).toBe(reason);
    expect(await rejection(late)).toMatchObject({ code: "SQLITE_INTERRUPT" });
    const transaction = pool.transaction(() => {}, { signal: AbortSignal.timeout(20) });
    expect(await rejection(transaction)).toMatchObject({ name: "TimeoutError" });
    server.resume();
  });

  it("refuses a write that would wait behind as many as maxWaiting, and none of those", async () => {
    const { server, pool: writer } = await withTables(open);
    const proxy = await Proxy.to(server.port);
    const pool = await limited(proxy);
    await pool.get(COUNT);
    server.hang();
    // Four requests of sixteen are sent, and three wait.
    const writes = Array.from({ length: 67 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [i]));
    const full = {
      name: "QueueFullError",
      code: "SQLITE_AIO_QUEUE_FULL",
      message: "3 callers wait for the primary already (maxWaiting)",
    };
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES (?)", [67]))).toMatchObject(full);
    const batches = Array.from({ length: 3 }, (_, i) =>
      pool.batch([["INSERT INTO t (a) VALUES (?)", [-i - 1]]]),
    );
    const transaction = pool.transaction((tx) => tx.run("INSERT INTO t (a) VALUES ('in a transaction')"));
    expect(await rejection(pool.batch(["DELETE FROM t"]))).toMatchObject(full);
    expect(await rejection(pool.transaction(() => {}))).toMatchObject(full);
    expect(await rejection(pool.acquire())).toMatchObject(full);
    server.resume();
    await Promise.all([...writes, ...batches, transaction]);
    await writer.sync();
    expect(await writer.get(COUNT)).toEqual({ n: 67 + 3 + 1 });
    await pool.transaction((tx) => tx.run("DELETE FROM t"));
    await (await pool.acquire()).close();
  });

  it("waits in close() for what was called before, and takes nothing more", async () => {
    const { server, pool } = await withTables(open);
    const written = pool.run("INSERT INTO t (a) VALUES ('x')");
    const transaction = pool.transaction(async (tx) => {
      await sleep(20);
      await tx.run("INSERT INTO t (a) VALUES ('y')");
    });
    await pool.close();
    await Promise.all([written, transaction]);
    for (const call of [
      pool.run("DELETE FROM t"),
      pool.all(COUNT),
      pool.sync(),
      pool.transaction(() => {}),
    ]) {
      expect(await rejection(call)).toMatchObject({ name: "ConnectionClosedError" });
    }
    const other = await openRemote(server);
    expect(await other.get(COUNT)).toEqual({ n: 2 });
  });

  it("lends a connection with a transaction of its own", async () => {
    const { pool } = await withTables(open);
    const db = await pool.acquire();
    await db.execute("INSERT INTO t (a) VALUES (?)", ["x"]);
    expect(db.inTransaction).toBe(true);
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([["x"]]);
    await db.rollback();
    expect(db.inTransaction).toBe(false);
    await using cursor = await db.execute("INSERT INTO t (a) VALUES ('y')");
    expect([cursor.rowcount, cursor.lastrowid, cursor.description]).toEqual([1, 1, null]);
    await db.commit();
    expect(await pool.get(COUNT)).toEqual({ n: 1 });

    await db.transaction(async (tx) => {
      await tx.execute("INSERT INTO t (a) VALUES ('z')");
      const no = tx.transaction(async () => {
        await tx.execute("DELETE FROM t");
        throw new Error("no");
      });
      await rejection(no);
    });
    const rows = await db.execute("SELECT a FROM t ORDER BY id");
    expect(rows.description?.map(([name]) => name)).toEqual(["a"]);
    expect(await rows.fetchone()).toEqual(["y"]);
    expect(await rows.fetchmany(5)).toEqual([["z"]]);
    expect(await rows.fetchone()).toBeNull();
    expect(await rejection(db.execute("ATTACH 'x' AS y"))).toBeInstanceOf(NotSupportedError);
    expect(await rejection(db.interrupt())).toBeInstanceOf(NotSupportedError);

    await db.execute("INSERT INTO t (a) VALUES ('lost')");
    await pool.release(db);
    await db.close();
    expect(await rejection(db.execute("SELECT 1"))).toMatchObject({ name: "ConnectionClosedError" });
    expect(await pool.get(COUNT)).toEqual({ n: 2 });
  });
});

describe("a transaction at the primary", () => {
  it("that holds the lock for more than 5 s while another waits is undone, and is told so", async () => {
    const server = await Server.start();
    const pool = await openRemote(server);
    await pool.batch(SCHEMA);
    const begun = Promise.withResolvers<void>();
    const other = begun.promise.then(() => pool.run("INSERT INTO t (a) VALUES ('other')"));
    const robbed = pool.transaction(async (tx) => {
      await tx.run("INSERT INTO t (a) VALUES ('robbed')");
      begun.resolve();
      // It is the primary that waits for 5 s.
      await other;
      await tx.run("INSERT INTO t (a) VALUES ('alone')");
    });
    expect(await rejection(robbed)).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK", rolledBack: true });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: "other" }]);
  });

  it("is run again as often as `retries` says where nothing of it was committed", async () => {
    const server = await Server.start();
    const proxy = await Proxy.to(server.port);
    const pool = await openRemote(proxy);
    await pool.batch(SCHEMA);
    let runs = 0;
    await pool.transaction(
      async (tx) => {
        await tx.run("INSERT INTO t (a) VALUES ('x')");
        if (++runs < 3) proxy.cut();
        await tx.run("INSERT INTO t (a) VALUES ('y')");
      },
      { retries: 2 },
    );
    expect(runs).toBe(3);
    expect(await pool.get(COUNT)).toEqual({ n: 2 });
  });

  it("is not run again where its COMMIT has had no answer: it may have happened", async () => {
    const server = await Server.start();
    const proxy = await Proxy.to(server.port);
    const pool = await openRemote(proxy);
    await pool.batch(SCHEMA);
    let runs = 0;
    const unknown = pool.transaction(
      async (tx) => {
        runs++;
        await tx.run("INSERT INTO t (a) VALUES ('x')");
        proxy.cutsAnswers = true;
      },
      { retries: 5 },
    );
    const error = await rejection(unknown);
    expect(error).toBeInstanceOf(PrimaryError);
    expect(error).toMatchObject({ code: "SQLITE_AIO_PRIMARY_LOST", outcome: "unknown" });
    expect(runs).toBe(1);
    // Here it has.
    expect(await (await openRemote(server)).get(COUNT)).toEqual({ n: 1 });
  });
});

describe("a write", () => {
  it("has an unknown outcome where its answer is lost or late, and none where it could not be sent", async () => {
    const server = await Server.start();
    const proxy = await Proxy.to(server.port);
    const pool = await openReplica(proxy, { timeout: 500, syncInterval: 0 });
    await pool.batch(SCHEMA);
    proxy.cutsAnswers = true;
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES ('x')"))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_LOST",
      outcome: "unknown",
      sql: "INSERT INTO t (a) VALUES ('x')",
    });
    proxy.cutsAnswers = false;
    server.hang();
    expect(await rejection(pool.run("INSERT INTO t (a) VALUES ('y')"))).toMatchObject({ outcome: "unknown" });
    server.resume();
    // The first write has happened. Whether the second has depends on when the server notices that its client is gone.
    const direct = await openRemote(server);
    expect(await direct.all("SELECT a FROM t WHERE a = 'x'")).toEqual([{ a: "x" }]);
    await server.kill();
    expect(await rejection(openRemote(server))).toMatchObject({
      code: "SQLITE_AIO_PRIMARY_UNREACHABLE",
      outcome: "not-started",
    });
  });

  it("succeeds where the replica cannot follow, with a warning, and its reads are stale", async () => {
    const server = await Server.start();
    const proxy = await Proxy.to(server.port);
    const warnings: Error[] = [];
    const listener = (warning: Error): number => warnings.push(warning);
    process.on("warning", listener);
    const pool = await openReplica(proxy, { timeout: 1000, syncInterval: 0 });
    await pool.batch(SCHEMA);
    proxy.swallowsSyncs = true;
    expect(await pool.run("INSERT INTO t (a) VALUES ('x')")).toMatchObject({ changes: 1 });
    expect(pool.stats().replica).toMatchObject({ stale: true });
    expect(await pool.get(COUNT)).toEqual({ n: 0 });
    await until(() => warnings.length > 0);
    process.off("warning", listener);
    expect(warnings).toMatchObject([{ code: "SQLITE_AIO_STALE" }]);
    proxy.swallowsSyncs = false;
    proxy.cut();
    await until(async () => {
      await pool.sync().catch(() => {});
      return pool.stats().replica?.stale === false;
    });
    expect(await pool.get(COUNT)).toEqual({ n: 1 });
  });

  it("does not wait for the replica with readYourWrites: false", async () => {
    const server = await Server.start();
    const pool = await openReplica(server, { readYourWrites: false, syncInterval: 0 });
    await pool.batch(SCHEMA);
    expect(await rejection(pool.get(COUNT))).toMatchObject({ message: "no such table: t" });
    await pool.sync();
    expect(await pool.get(COUNT)).toEqual({ n: 0 });
  });

  it("is refused by a pool that is readonly", async () => {
    const server = await Server.start();
    await (await openRemote(server)).batch(SCHEMA);
    const pool = await openReplica(server, {}, undefined, { readonly: true });
    expect(await pool.get(COUNT)).toEqual({ n: 0 });
    for (const call of [
      pool.run("DELETE FROM t"),
      pool.get("DELETE FROM t RETURNING a"),
      pool.batch(["DELETE FROM t"]),
      pool.exec("DELETE FROM t"),
      pool.transaction((tx) => tx.run("DELETE FROM t")),
      pool.acquire(),
    ]) {
      expect(await rejection(call)).toMatchObject({ code: "SQLITE_READONLY" });
    }
  });
});

describe("a token", () => {
  it("that is missing or wrong is told so when the pool opens", async () => {
    const keys = await tokens();
    const server = await Server.start({ keyFile: keys.keyFile });
    const others = await tokens();
    const later = Date.now() / 1000 + 1000;
    for (const authToken of [undefined, "no token", others.until(later)]) {
      const code = "SQLITE_AIO_PRIMARY_UNAUTHORIZED";
      expect(await rejection(openRemote(server, authToken))).toMatchObject({ code });
      expect(await rejection(openReplica(server, { authToken }))).toMatchObject({ code });
    }
    const pool = await openReplica(server, { authToken: keys.until(later) });
    await pool.run("CREATE TABLE t (a)");
    expect(await pool.get(COUNT)).toEqual({ n: 0 });
  });

  it("that expires ends writes, and no reads", async () => {
    const keys = await tokens();
    const server = await Server.start({ keyFile: keys.keyFile });
    // The server takes a token for 60 s longer than it says.
    const pool = await openReplica(server, { authToken: keys.until(Date.now() / 1000 - 60 + 12) });
    await pool.batch(SCHEMA);
    await until(async () => {
      await sleep(200);
      const error = await pool
        .run("INSERT INTO t (a) VALUES (?)", [Date.now()])
        .catch((reason: unknown) => reason);
      if (!(error instanceof Error)) return false;
      expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_AIO_PRIMARY_UNAUTHORIZED" });
      return true;
    });
    expect((await pool.get<{ n: number }>(COUNT))?.n).toBeGreaterThan(0);
    expect(await rejection(pool.sync())).toMatchObject({
      code: expect.stringMatching(/^SQLITE_AIO_/) as string,
    });
    expect((await pool.get<{ n: number }>(COUNT))?.n).toBeGreaterThan(0);
  });
});

it("errors of the primary are the same through a server that forwards to it", async () => {
  const primary = await Server.start();
  const direct = await openRemote(primary);
  await direct.batch(["CREATE TABLE t (a UNIQUE NOT NULL CHECK (a <> 9))", "INSERT INTO t VALUES (1)"]);
  const forwarded = await openRemote(await Server.start({ primary }));
  for (const [sql, expected] of [
    ["INSERT INTO t VALUES (1)", { name: "IntegrityError", code: "SQLITE_CONSTRAINT_UNIQUE" }],
    ["INSERT INTO t VALUES (NULL)", { name: "IntegrityError", code: "SQLITE_CONSTRAINT_NOTNULL" }],
    ["INSERT INTO t VALUES (9)", { name: "IntegrityError", code: "SQLITE_CONSTRAINT_CHECK" }],
    ["INSERT INTO nowhere VALUES (1)", { name: "OperationalError", code: "SQLITE_ERROR" }],
  ] as const) {
    const error = await rejection(forwarded.run(sql));
    expect(error, sql).toMatchObject(expected);
    expect((error as Error).message, sql).toBe(((await rejection(direct.run(sql))) as Error).message);
  }
  await expect(
    forwarded.transaction(async (tx) => {
      await tx.run("INSERT INTO t VALUES (2)");
      await tx.run("INSERT INTO t VALUES (1)");
    }),
  ).rejects.toMatchObject({ name: "IntegrityError", code: "SQLITE_CONSTRAINT_UNIQUE" });
  expect(await direct.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
});
