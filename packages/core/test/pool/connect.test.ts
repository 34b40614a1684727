import { setImmediate as turn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  capabilities,
  type Connection,
  ConnectionClosedError,
  createPool,
  type PoolOptions,
} from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { openPool, until } from "../support/pool-support.ts";

describe("onConnect", () => {
  it("is called with each connection before its first use, and its promise is waited for", async () => {
    const seen: unknown[] = [];
    const pool = await openPool({
      readers: 2,
      onConnect: async (conn) => {
        await turn();
        seen.push(await conn.executeFetchall("PRAGMA query_only"));
        await conn.createFunction("ready", 0, () => "ready");
      },
    });
    expect(seen).toHaveLength(1);
    expect(
      await Promise.all([
        pool.get("SELECT ready() AS it"),
        pool.read((tx) => tx.get("SELECT ready() AS it")),
      ]),
    ).toEqual([{ it: "ready" }, { it: "ready" }]);
    expect(await pool.run("SELECT ready()")).toMatchObject({ changes: 0 });
    const readers = await Promise.all([pool.acquire({ mode: "read" }), pool.acquire({ mode: "read" })]);
    expect(pool.stats().readers).toBe(2);
    expect(seen).toEqual([[[0]], [[0]], [[0]]]);
    await Promise.all(readers.map((reader) => pool.release(reader)));
  });

  it("sets up what stays: functions, pragmas, temporary tables, attached databases", async () => {
    const other = await temporaryPath("other.db");
    openEngine(other).exec("CREATE TABLE u (b); INSERT INTO u VALUES ('attached')");
    let calls = 0;
    const pool = await openPool({
      readers: 1,
      onConnect: async (conn) => {
        calls++;
        await conn.executescript(`
          PRAGMA case_sensitive_like = ON;
          PRAGMA cache_size = -555;
          CREATE TEMP TABLE mine (a);
          INSERT INTO mine VALUES ('temporary');
          ATTACH '${other}' AS other`);
        await conn.createFunction("hello", 0, () => "hello");
      },
    });
    const question = `
      SELECT hello() AS f, (SELECT a FROM mine) AS a, (SELECT b FROM other.u) AS b, 'A' LIKE 'a' AS l,
        (SELECT cache_size FROM pragma_cache_size) AS c`;
    const answer = { f: "hello", a: "temporary", b: "attached", l: 0, c: -555 };
    await pool.run("CREATE TABLE t (a)");
    for (let i = 0; i < 5; i++) {
      expect(await pool.get(question)).toEqual(answer);
      expect(await pool.transaction((tx) => tx.get(question))).toEqual(answer);
      await pool.run("INSERT INTO t VALUES (1)");
    }
    // Nothing of this is taken for what a caller left behind.
    expect(calls).toBe(2);
    for (const mode of ["read", "write"] as const) {
      const before = calls;
      const conn = await pool.acquire({ mode });
      await conn.executescript("PRAGMA cache_size = 3; DETACH other");
      if (mode === "write") await conn.executescript("DROP TABLE mine; CREATE TEMP TABLE theirs (a)");
      await conn.close();
      await using next = await pool.acquire({ mode });
      const rows = await next.executeFetchall(question);
      expect(rows, mode).toEqual([Object.values(answer)]);
      expect(await next.executeFetchall("SELECT name FROM sqlite_temp_schema")).toEqual([["mine"]]);
      expect(calls).toBe(before + 1);
    }
    // Many writes at once, with a database attached.
    await Promise.all(Array.from({ length: 50 }, (_, i) => pool.run("INSERT INTO t VALUES (?)", [i])));
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 55 });
  });

  it("makes temporary objects of which a caller's changes and rows end with his lease", async () => {
    const pool = await openPool({
      readers: 1,
      onConnect: (conn) =>
        conn.executescript(`
          CREATE TABLE IF NOT EXISTS main.t (a);
          CREATE TEMP TABLE session (k PRIMARY KEY, v);
          INSERT INTO session VALUES ('user', 'nobody');
          CREATE TEMP VIEW one AS SELECT 1 AS a;
          CREATE TEMP TRIGGER audit AFTER INSERT ON main.t WHEN new.a = 'audited' BEGIN
            UPDATE session SET v = new.a;
          END`),
    });
    const rest = async (mode: "read" | "write"): Promise<unknown> => {
      await using conn = await pool.acquire({ mode });
      return [
        await conn.executeFetchall("SELECT k, v FROM temp.session"),
        await conn.executeFetchall("SELECT name FROM sqlite_temp_schema WHERE name NOT LIKE 'sqlite_auto%'"),
      ];
    };
    const asMade = [[["user", "nobody"]], [["session"], ["one"], ["audit"]]];
    expect(await rest("write")).toEqual(asMade);
    const lease = (work: (conn: Connection) => Promise<unknown>) => async (): Promise<void> => {
      const conn = await pool.acquire();
      await work(conn);
      await conn.commit();
      await conn.close();
    };
    const changes: Record<string, () => Promise<unknown>> = {
      "a row in a lease": lease((conn) => conn.execute("UPDATE temp.session SET v = 'alice'")),
      "rows with RETURNING": lease((conn) =>
        conn.executeFetchall("INSERT INTO session VALUES ('a', 1) RETURNING k"),
      ),
      "rows of executemany()": lease((conn) =>
        conn.executemany("INSERT INTO session VALUES (?, ?)", [
          ["a", 1],
          ["b", 2],
        ]),
      ),
      "rows of a script": lease((conn) => conn.executescript("DELETE FROM session")),
      "rows of a WITH": lease((conn) =>
        conn.execute("WITH x (k) AS (VALUES ('a')) INSERT INTO session SELECT k, 1 FROM x"),
      ),
      "a row in a transaction": () => pool.transaction((tx) => tx.run("UPDATE session SET v = 'alice'")),
      "a row by a single call": () => pool.run("UPDATE session SET v = ?", ["alice"]),
      "a row by a trigger": () => pool.run("INSERT INTO t VALUES ('audited')"),
      "what ANALYZE has counted": lease((conn) => conn.execute("ANALYZE temp")),
      "what ANALYZE has counted in a script": lease((conn) => conn.executescript("ANALYZE session")),
      ...(capabilities.blobs
        ? {
            "a value by a blob": lease(async (conn) => {
              await using blob = await conn.blobopen("session", "v", 1, { name: "TEMP" });
              await blob.write(Buffer.from("alice!"));
            }),
            "a value by a blob in a transaction": lease((conn) =>
              conn.transaction(async (tx) => {
                const blob = await tx.blobopen("session", "v", 1, { name: "temp" });
                await blob.write(Buffer.from("al"));
              }),
            ),
          }
        : {}),
      "dropped objects": () =>
        pool.transaction(async (tx) => {
          await tx.run("DROP VIEW temp.one");
          await tx.run("DROP TABLE temp.session");
        }),
      "another trigger, of the same count": lease((conn) =>
        conn.executescript(
          "DROP TRIGGER audit; CREATE TEMP TRIGGER audit AFTER INSERT ON main.t BEGIN DELETE FROM session; END",
        ),
      ),
      "another table, of the same count": lease((conn) =>
        conn.executescript("DROP TABLE session; CREATE TABLE temp.other (secret)"),
      ),
    };
    for (const [what, change] of Object.entries(changes)) {
      await change();
      await pool.run("INSERT INTO t VALUES ('plain')");
      expect(await rest("write"), what).toEqual(asMade);
    }
    expect(await rest("read")).toEqual(asMade);
  });

  it("may not keep a reader from being one", async () => {
    const pool = await openPool({
      readers: 1,
      onConnect: (conn) => conn.execute("PRAGMA query_only = OFF"),
    });
    await pool.run("CREATE TABLE t (a)");
    await using conn = await pool.acquire({ mode: "read" });
    for (const sql of ["INSERT INTO t VALUES (1)", "CREATE TEMP TABLE u (a)"]) {
      expect(await rejection(conn.execute(sql))).toMatchObject({ code: "SQLITE_READONLY" });
    }
  });

  it("leaves no transaction, cursor, nested transaction or unfinished call behind", async () => {
    const kept: Connection[] = [];
    const [begun, left] = [gate(), gate()];
    let transaction: Promise<unknown> | undefined;
    const path = await temporaryPath();
    openEngine(path).exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    const pool = await openPool(
      {
        readers: 0,
        onConnect: async (conn) => {
          kept.push(conn);
          await conn.execute("INSERT INTO t VALUES (3)");
          await conn.execute("SELECT t.a FROM t, (VALUES (1), (2))");
          // These are not awaited.
          conn.execute("DELETE FROM t").catch(() => {});
          conn
            .createFunction("slug", 1, new URL("../fixtures/functions.mjs", import.meta.url), {
              export: "slug",
            })
            .catch(() => {});
          await conn.rollback();
          transaction = conn.transaction(async (tx) => {
            await tx.execute("DELETE FROM t");
            begun.open();
            await left.opened;
            await tx.execute("DELETE FROM t");
          });
          transaction.catch(() => {});
          await begun.opened;
        },
      },
      path,
    );
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 2 });
    left.open();
    expect(await rejection(transaction!)).toBeInstanceOf(Error);
    // The connection that it got cannot be used any more.
    expect(await rejection(kept[0]!.execute("DELETE FROM t"))).toBeInstanceOf(ConnectionClosedError);
    expect(await pool.run("INSERT INTO t VALUES (4)")).toMatchObject({ changes: 1 });
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }, { a: 4 }]);
  });

  it("cannot close its connection", async () => {
    const pool = await openPool({ readers: 1, onConnect: (conn) => conn.close() });
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  it("that throws keeps the pool from opening, and leaves no thread", async () => {
    const error = new Error("not today");
    let alive = 0;
    const createWorker: PoolOptions["createWorker"] = (url, options) => {
      const worker = new Worker(url, options);
      alive++;
      worker.once("exit", () => alive--);
      return worker;
    };
    const thrower = (): never => {
      throw error;
    };
    for (const onConnect of [
      thrower,
      async () => thrower(),
      (conn: Connection) => conn.execute("SELECT").catch(thrower),
    ]) {
      expect(await rejection(createPool(await temporaryPath(), { createWorker, onConnect }))).toBe(error);
      await until(() => alive === 0);
    }
  });

  it("that fails when a connection is opened afresh leaves the next caller a new one", async () => {
    let calls = 0;
    const pool = await openPool({
      readers: 0,
      onConnect: async (conn) => {
        if (++calls === 2) throw new Error("not today");
        await conn.execute("PRAGMA cache_size = -555");
      },
    });
    const conn = await pool.acquire();
    await conn.execute("PRAGMA cache_size = 9");
    await conn.close();
    expect(calls).toBe(2);
    expect(await pool.get("PRAGMA cache_size")).toEqual({ cache_size: -555 });
    expect(calls).toBe(3);
    expect(pool.stats()).toMatchObject({ writers: 1, pending: 0 });
  });

  it("that fails when a connection in memory is opened afresh costs nobody the data", async () => {
    let calls = 0;
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    const pool = await openPool(
      {
        onConnect: async (conn) => {
          calls++;
          await conn.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
        },
      },
      ":memory:",
    );
    await pool.run("INSERT INTO t VALUES (2)");
    await pool.exec("PRAGMA cache_size = 9; SELECT 1");
    expect(calls).toBe(2);
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
    await until(() => warnings.length === 1);
    process.off("warning", listen);
    expect(warnings[0]!.message).toContain("table t already exists");
    expect(await pool.get("PRAGMA cache_size")).not.toEqual({ cache_size: 9 });
    expect(pool.stats().respawned).toBe(0);
  });
});
