import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { FunctionOptions, Pool, PoolOptions, SqlFunction } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { rejection, temporaryFolder } from "../support/database.ts";
import { openPool, outcomes, poolFunctions, slowModule, until } from "../support/pool-support.ts";

const functions = new URL("../fixtures/functions.mjs", import.meta.url);

/** Asks the writer and each of `readers` readers, all at the same time, so that none of them answers twice. */
async function everywhere(pool: Pool, sql: string, readers: number): Promise<unknown[]> {
  const modes = ["write", ...Array.from({ length: readers }, () => "read" as const)] as const;
  const leases = await Promise.all(modes.map((mode) => pool.acquire({ mode })));
  const rows = await Promise.all(leases.map((conn) => conn.executeFetchall<unknown[]>(sql)));
  await Promise.all(leases.map((conn) => conn.close()));
  return rows.map(([row]) => row?.[0]);
}

/** Changes the writer and each of `readers` readers, so that each is opened afresh. */
async function openAfresh(pool: Pool, readers: number): Promise<void> {
  const modes = ["write", ...Array.from({ length: readers }, () => "read" as const)] as const;
  const leases = await Promise.all(modes.map((mode) => pool.acquire({ mode })));
  await Promise.all(leases.map((conn) => conn.createFunction("of_the_lease", 0, () => 1)));
  await Promise.all(leases.map((conn) => conn.close()));
}

const module = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(source)}`);

describe("pool.createFunction()", () => {
  it("defines a closure, or a module's function, on every connection, also on those opened later", async () => {
    const pool = await openPool({ readers: 3 });
    await pool.createFunction("early", 1, (x: number) => x + 1);
    expect(await everywhere(pool, "SELECT early(1)", 2)).toEqual([2, 2, 2]);
    expect(pool.stats()).toMatchObject({ readers: 2 });
    await pool.createFunction("slug", 1, functions, { export: "slug" });
    expect(await everywhere(pool, "SELECT slug('A B') || early(1)", 3)).toEqual([
      "a-b2",
      "a-b2",
      "a-b2",
      "a-b2",
    ]);
  });

  it("replaces one of the same name and number of parameters everywhere, and no other", async () => {
    const pool = await openPool({ readers: 2 });
    await pool.createFunction("f", 0, () => "old");
    await pool.createFunction("f", 1, () => "one");
    await pool.get("SELECT f()");
    await pool.createFunction("F", 0, () => "new");
    expect(await everywhere(pool, "SELECT f() || f(1)", 2)).toEqual(["newone", "newone", "newone"]);
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    await rejection(pool.get("SELECT exit_if(1)"));
    await rejection(pool.run("SELECT exit_if(1)"));
    expect(await everywhere(pool, "SELECT f() || f(1)", 2)).toEqual(["newone", "newone", "newone"]);
  });

  it("is kept when a lease has changed its connection, or put a function in its place", async () => {
    const pool = await openPool({ readers: 1 });
    await pool.createFunction("f", 0, () => "the pool's");
    for (const mode of ["read", "write"] as const) {
      for (let i = 0; i < 10; i++) {
        const conn = await pool.acquire({ mode });
        await conn.createFunction("f", 0, () => "the lease's");
        expect(await conn.executeFetchall("SELECT f()")).toEqual([["the lease's"]]);
        await conn.close();
        await using next = await pool.acquire({ mode });
        expect(await next.executeFetchall("SELECT f()")).toEqual([["the pool's"]]);
      }
    }
  });

  it("refuses what is wrong, and keeps what was there", async () => {
    const pool = await openPool({ readers: 2 });
    await pool.createFunction("f", 0, () => "good");
    const bad: [name: string, parameters: number, fn: unknown, options?: FunctionOptions][] = [
      ["", 0, () => 1],
      ["f", -2, () => 1],
      ["f", 101, () => 1],
      ["f", 0, "no function"],
      ["f", 0, functions, { export: "nothing" }],
      ["f", 0, new URL("fixtures/no-such-file.mjs", import.meta.url)],
      ["f", 0, new URL("../fixtures/throws-when-loaded.mjs", import.meta.url)],
      ["f", 0, () => 1, { deterministic: "yes" as never }],
    ];
    for (const [name, parameters, fn, options] of bad) {
      const error = await rejection(pool.createFunction(name, parameters, fn as SqlFunction, options));
      expect(error, `${name}/${parameters} ${String(fn)}`).toBeInstanceOf(Error);
    }
    // Also on a connection that is opened after that.
    expect(await everywhere(pool, "SELECT f()", 2)).toEqual(["good", "good", "good"]);
    expect(pool.stats()).toMatchObject({ readers: 2, respawned: 0 });
  });

  it("reaches a connection that is being opened at the time", async () => {
    for (let i = 0; i < 5; i++) {
      const pool = await openPool({ readers: 3 });
      const opening = outcomes(Array.from({ length: 3 }, () => pool.read(() => turn())));
      for (let turns = 0; turns < i * 8; turns++) await turn();
      await pool.createFunction("f", 0, () => "here");
      expect(await everywhere(pool, "SELECT f()", 3)).toEqual(["here", "here", "here", "here"]);
      await opening;
      await pool.close();
    }
  });

  const earlier: Record<string, PoolOptions> = {
    "a setup module": {
      setup: module(
        "export default (db) => { db.function('f', () => 'old'); db.function('g', () => 'old'); }",
      ),
    },
    onConnect: {
      onConnect: async (conn) => {
        await conn.createFunction("f", 0, () => "old");
        await conn.createFunction("g", 0, () => "old");
      },
    },
  };
  it.each(Object.entries(earlier))(
    "replaces, or removes, what %s has defined, on connections that are opened later or afresh, too",
    async (_, options) => {
      const pool = await openPool({ readers: 2, ...options });
      await pool.createFunction("f", 0, () => "new");
      await pool.createFunction("g", 0, null);
      for (let i = 0; i < 3; i++) {
        expect(await everywhere(pool, "SELECT f()", 2)).toEqual(["new", "new", "new"]);
        const leases = await Promise.all(
          (["write", "read", "read"] as const).map((mode) => pool.acquire({ mode })),
        );
        for (const conn of leases) {
          expect(await rejection(conn.executeFetchall("SELECT g()"))).toMatchObject({
            message: "no such function: g",
          });
        }
        await Promise.all(leases.map((conn) => conn.close()));
        await openAfresh(pool, 2);
      }
      expect(pool.stats()).toMatchObject({ respawned: 0 });
    },
  );

  it("keeps what was there where several fail at the same time, whichever is refused first", async () => {
    const pool = await openPool({ readers: 1 });
    await pool.createFunction("f", 0, () => "good");
    await everywhere(pool, "SELECT f()", 1);
    const missing = [1, 2, 3].map((n) => new URL(`no-such-file-${n}.mjs`, import.meta.url));
    const results = await outcomes(
      missing.flatMap((fn) => ["f", "g"].map((name) => pool.createFunction(name, 0, fn))),
    );
    expect(results.every((result) => result instanceof Error)).toBe(true);
    await openAfresh(pool, 1);
    expect(await everywhere(pool, "SELECT f()", 1)).toEqual(["good", "good"]);
    expect(await rejection(pool.get("SELECT g()"))).toMatchObject({ message: "no such function: g" });
    expect(pool.stats()).toMatchObject({ respawned: 0 });
  });

  it("is on no connection if one of them refuses it", async () => {
    const pool = await openPool({ readers: 2 });
    await pool.createFunction("f", 0, () => "good");
    await everywhere(pool, "SELECT f()", 2);
    const once = pathToFileURL(`${await temporaryFolder()}/once.mjs`);
    await writeFile(
      once,
      `import { existsSync, writeFileSync } from "node:fs";
       const loaded = new URL(import.meta.url + ".loaded");
       if (existsSync(loaded)) throw new Error("loaded already");
       writeFileSync(loaded, "");
       export default () => "once";`,
    );
    expect(await rejection(pool.createFunction("f", 0, once))).toMatchObject({ message: "loaded already" });
    expect(await everywhere(pool, "SELECT f()", 2)).toEqual(["good", "good", "good"]);
    // A name that nobody had.
    const again = new URL(`${once.href}?again`);
    await writeFile(
      once,
      `import { threadId } from "node:worker_threads";
       import { existsSync, writeFileSync } from "node:fs";
       const loaded = new URL("again.loaded", import.meta.url);
       if (existsSync(loaded)) throw new Error("loaded already by another than " + threadId);
       writeFileSync(loaded, "");
       export default () => "once";`,
    );
    await rejection(pool.createFunction("g", 0, again));
    const leases = await Promise.all(
      (["write", "read", "read"] as const).map((mode) => pool.acquire({ mode })),
    );
    for (const conn of leases)
      expect(await rejection(conn.executeFetchall("SELECT g()"))).toMatchObject({ name: "OperationalError" });
    await Promise.all(leases.map((conn) => conn.close()));
  });

  it("that fails while connections are being opened fails alone", async () => {
    const pool = await openPool({ readers: 3 });
    const slow = await slowModule("throw new Error('not this one')");
    const creating = rejection(pool.createFunction("f", 0, slow.url));
    await slow.entered();
    const opened = outcomes(Array.from({ length: 3 }, () => pool.read((tx) => tx.get("SELECT 1 AS one"))));
    await slow.release();
    expect(await creating).toMatchObject({ message: "not this one" });
    expect(await opened).toEqual([{ one: 1 }, { one: 1 }, { one: 1 }]);
    expect(pool.stats()).toMatchObject({ respawned: 0 });
  });

  it.each([null, "read", "write"] as const)(
    "replaces one that was asked for before and is loading still, with a lease to %s",
    async (mode) => {
      const pool = await openPool({ readers: 2 });
      await everywhere(pool, "SELECT 1", 2);
      const conn = mode === null ? null : await pool.acquire({ mode });
      const slow = await slowModule();
      const created = [pool.createFunction("f", 0, slow.url), pool.createFunction("f", 0, () => "the last")];
      await slow.entered();
      await slow.release();
      await Promise.all(created);
      if (conn !== null) expect(await conn.executeFetchall("SELECT f()")).toEqual([["the last"]]);
      await conn?.close();
      expect(await everywhere(pool, "SELECT f()", 2)).toEqual(["the last", "the last", "the last"]);
    },
  );

  it("gets in nobody's way, and nobody in its own", async () => {
    const pool = await openPool({ readers: 2 });
    await pool.exec("CREATE TABLE t (a)");
    const results = await outcomes(
      Array.from({ length: 200 }, async (_, i) => {
        if (i % 20 === 0) return await pool.createFunction(`f${i % 3}`, 0, () => i);
        if (i % 3 === 0) return await pool.transaction((tx) => tx.run("INSERT INTO t VALUES (?)", [i]));
        if (i % 3 === 1) return await pool.read((tx) => tx.get("SELECT 1"));
        await using conn = await pool.acquire({ mode: i % 2 === 0 ? "read" : "write" });
        return await conn.executeFetchall("SELECT 1");
      }),
    );
    expect(results.filter((result) => result instanceof Error)).toEqual([]);
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ busy: 0, respawned: 0 });
    expect(await pool.get("SELECT f0() + f1() + f2() > 0 AS all_three")).toEqual({ all_three: 1 });
  });

  it("is there at once on a connection that is held, or when that is given back with a cursor half read", async () => {
    const pool = await openPool({ readers: 1 });
    const conn = await pool.acquire();
    await pool.createFunction("f", 0, () => "here");
    expect(await conn.executeFetchall("SELECT f()")).toEqual([["here"]]);
    const cursor = await conn.execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 999) SELECT i FROM n",
    );
    await pool.createFunction("g", 0, () => "later");
    expect(await conn.executeFetchall("SELECT g()")).toEqual([["later"]]);
    expect((await cursor.fetchall()).length).toBe(999);
    await conn.close();
    expect(await pool.transaction((tx) => tx.get("SELECT f() || g() AS both"))).toEqual({
      both: "herelater",
    });
  });

  it("may throw, and the error is its cause", async () => {
    const pool = await openPool({ readers: 1 });
    const thrown = new Error("from the closure");
    await pool.createFunction("f", 0, () => {
      throw thrown;
    });
    const error = await rejection(pool.get("SELECT f()"));
    expect(error).toMatchObject({
      name: "OperationalError",
      message: "user-defined function raised exception",
    });
    expect((error as Error).cause).toBe(thrown);
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });
});

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
