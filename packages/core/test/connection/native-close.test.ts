import { execFile } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { endsWithTest } from "../support/child.ts";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { endless, endlessInsert, entrance } from "../support/endless.ts";
import { holds, openPool } from "../support/pool-support.ts";

const INTERRUPTED = { name: "OperationalError", code: "SQLITE_INTERRUPT" };
const reason = new Error("enough");

interface Ending {
  readonly code: number | string | null | undefined;
  readonly signal: string | null | undefined;
  readonly stdout: string;
}

/** Runs a script of fixtures/ in a process of its own; one that hangs is killed with its test. */
async function run(script: string, ...args: string[]): Promise<Ending> {
  const file = fileURLToPath(new URL(`../fixtures/${script}`, import.meta.url));
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, [file, ...args], (error, stdout) => {
      const { code, signal } = error ?? { code: 0, signal: null };
      resolve({ code, signal, stdout });
    });
    endsWithTest(child);
  });
}

describe.runIf(capabilities.interrupt)("with the native companion", () => {
  it("1,000 handles are closed while they are interrupted in every turn, and nothing crashes", async () => {
    const { code, signal, stdout } = await run("close-while-interrupting.mjs", "960", "40");
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    const told = JSON.parse(stdout) as { interrupted: number; other: number; handles: number };
    expect(told.handles).toBe(1000);
    expect(told.other).toBe(0);
    expect(told.interrupted).toBeGreaterThanOrEqual(1000);
  });

  it.each([
    ["exit", 7],
    ["throw", 1],
  ])("a process whose threads are in statements without end does end: %s", async (how, expected) => {
    const path = await temporaryPath();
    const { code, stdout } = await run("exit-while-running.mjs", how, path);
    expect({ code, stdout }).toEqual({ code: expected, stdout: "leaving" });
    expect(openEngine(path).prepare("SELECT x FROM t").pluck().all()).toEqual([1]);
  });

  it("a connection with a running statement closes once that is interrupted, and what is left rejects", async () => {
    const db = await open();
    const { within, entered } = await entrance(db);
    const running = rejection(db.executeFetchall(within(endless)));
    const waiting = rejection(db.executeFetchall("SELECT 1"));
    await entered(1);
    const closing = db.close();
    await db.interrupt();
    await closing;
    expect(await running).toMatchObject(INTERRUPTED);
    expect(await waiting).toMatchObject(INTERRUPTED);
  });

  it("a pool's reader serves the next caller when the one before has given up its statement", async () => {
    const pool = await openPool({ readers: 1 });
    const { within, entered } = await entrance(pool);
    for (const give of [
      async () => {
        const controller = new AbortController();
        const given = rejection(pool.get(within(endless), [], { signal: controller.signal }));
        await entered(1);
        controller.abort(reason);
        expect(await given).toBe(reason);
      },
      async () => expect(await rejection(pool.all(endless, [], { timeout: 20 }))).toMatchObject(INTERRUPTED),
      async () => {
        const given = rejection(pool.iterate(endless, [], { timeout: 20 }).next());
        expect(await given).toMatchObject(INTERRUPTED);
      },
      async () => {
        const controller = new AbortController();
        const given = rejection(pool.read((tx) => tx.get(within(endless)), { signal: controller.signal }));
        await entered(2);
        controller.abort(reason);
        expect(await given).toBe(reason);
      },
    ]) {
      await give();
      expect(await pool.get("SELECT 1 AS one"), String(give)).toEqual({ one: 1 });
      expect(pool.stats()).toMatchObject({ readers: 1, respawned: 0 });
      expect(pool.stats().threads.filter(({ stuck }) => stuck)).toEqual([]);
    }
  });

  it("a pool's writer serves the next caller too, and nothing of the statement is left", async () => {
    const pool = await openPool();
    await pool.exec("CREATE TABLE t (x)");
    const { within, entered } = await entrance(pool);
    expect(await rejection(pool.run(endlessInsert, [], { timeout: 50 }))).toMatchObject(INTERRUPTED);
    expect(await pool.run("INSERT INTO t VALUES (1)")).toMatchObject({ changes: 1 });
    const controller = new AbortController();
    const given = rejection(
      pool.transaction(
        async (tx) => {
          await tx.run("INSERT INTO t VALUES (2)");
          await tx.run(within(endlessInsert));
        },
        { signal: controller.signal },
      ),
    );
    await entered(1);
    controller.abort(reason);
    expect(await given).toBe(reason);
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await pool.all("SELECT x FROM t")).toEqual([{ x: 1 }, { x: 3 }]);
    expect(pool.stats().respawned).toBe(0);
  });

  it("close({ timeout }) of a pool is honoured while its threads are in statements without end", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 2 }, path);
    await pool.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    const { within, entered } = await entrance(pool);
    const calls = [pool.get(within(endless)), pool.all(within(endless)), pool.run(within(endlessInsert))].map(
      async (call) => rejection(call),
    );
    await entered(3);
    await pool.close({ timeout: 100 });
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ name: "ConnectionClosedError" });
    // The threads have let go of the file.
    const engine = openEngine(path);
    engine.exec("INSERT INTO t VALUES (2)");
    expect(engine.prepare("SELECT x FROM t").pluck().all()).toEqual([1, 2]);
  });

  it("interrupt() of a connection that was given back disturbs nobody who has it now", async () => {
    const pool = await openPool();
    const stale = await pool.acquire();
    await stale.close();
    const state = { over: false };
    const call = pool
      .run(
        "CREATE TABLE t AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT i FROM n",
      )
      .finally(() => (state.over = true));
    while (!state.over) {
      expect(await rejection(stale.interrupt())).toMatchObject({ name: "ConnectionClosedError" });
      await turn();
    }
    await call;
    expect(await pool.get("SELECT count(*) AS c FROM t")).toEqual({ c: 300_000 });
  });
});

describe.runIf(!capabilities.interrupt)("without the native companion", () => {
  it("close({ timeout }) of a pool is honoured too, and a thread that is not done ends later", async () => {
    const pool = await openPool();
    const held = await holds(pool);
    const call = rejection(pool.get("SELECT hold(?)", [held.name(0)]));
    await held.entered(0);
    // The thread is held beyond that.
    await pool.close({ timeout: 50 });
    expect(await call).toMatchObject({ name: "ConnectionClosedError" });
  });
});
