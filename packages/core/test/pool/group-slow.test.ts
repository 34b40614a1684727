import { setImmediate } from "node:timers/promises";
import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { holds, openPool, outcomes, until } from "../support/pool-support.ts";

/** Runs for as long as its parameter says, and writes one row. */
const COUNTED =
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO t SELECT max(i) FROM n";
/** Seconds, whatever the machine. */
const MANY = 50_000_000;

describe("a write that turns out to be slow", () => {
  it.runIf(capabilities.interrupt)("does not hold the quick ones of its group", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    await pool.run(COUNTED, [10]);
    await pool.run("INSERT INTO t VALUES (?)", ["learn"]);
    const order: string[] = [];
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const slow = pool
      .run(COUNTED, [MANY], { signal: controller.signal })
      .catch((error: unknown) => error)
      .finally(() => order.push("slow"));
    const quick = Array.from({ length: 20 }, (_, i) =>
      pool.run("INSERT INTO t VALUES (?)", [i]).finally(() => order.push("quick")),
    );
    expect((await Promise.all(quick)).map(({ changes }) => changes)).toEqual(quick.map(() => 1));
    // It runs by itself now, and can be given up like any other.
    controller.abort(reason);
    expect(await slow).toBe(reason);
    expect(order).toEqual([...quick.map(() => "quick"), "slow"]);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 22 });
  });

  it.runIf(capabilities.interrupt)("is done once, in the end, with its own answer", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    await pool.run(COUNTED, [10]);
    const results = await Promise.all([
      pool.run("INSERT INTO t VALUES (?)", ["before"]),
      pool.run(COUNTED, [2_000_000]),
      pool.run("INSERT INTO t VALUES (?)", ["after"]),
    ]);
    expect(results.map(({ changes }) => changes)).toEqual([1, 1, 1]);
    const rows = await pool.all<{ a: unknown }>("SELECT a FROM t ORDER BY typeof(a), a");
    expect(rows.map(({ a }) => a)).toEqual([10, 2_000_000, "after", "before"]);
  });

  it.runIf(!capabilities.interrupt)(
    "is done once where nothing can stop it, and commits what came before it",
    async () => {
      const pool = await openPool({ readers: 0, writers: 1 });
      await pool.exec("CREATE TABLE t (a)");
      await pool.run(COUNTED, [10]);
      await pool.run("INSERT INTO t VALUES (?)", ["learn"]);
      let ended = 0;
      await pool.createFunction("ended", 0, () => ++ended);
      // Seen is the end of each attempt.
      const slow = COUNTED.replace("max(i)", "max(i) + 0 * ended()");
      const results = await Promise.all([
        pool.run("INSERT INTO t VALUES (?)", ["before"]),
        pool.run(slow, [5_000_000]),
        pool.run("INSERT INTO t VALUES (?)", ["after"]),
      ]);
      expect(results.map(({ changes }) => changes)).toEqual([1, 1, 1]);
      expect(ended).toBe(1);
      expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 5 });
    },
  );

  it("joins no group when that is known", async () => {
    const pool = await openPool({ readers: 1, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const held = await holds(pool);
    const sql = "INSERT INTO t SELECT hold(?)";
    const first = pool.run(sql, [held.name(0)]);
    await held.entered(0);
    // Longer than a disk takes for a commit.
    const since = performance.now();
    await until(() => performance.now() - since > 300);
    await held.release(0);
    await first;
    const quick = pool.run("INSERT INTO t VALUES (?)", ["quick"]);
    const second = pool.run(sql, [held.name(1)]);
    await quick;
    await held.entered(1);
    await held.release(1);
    expect((await second).changes).toBe(1);
  });
});

describe("a call that is given up while its group waits for the commit", () => {
  it("is not written, and the others are", async () => {
    const pool = await openPool({ readers: 1, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (?)", ["learn"]);
    const held = await holds(pool);
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const given = pool.run("INSERT INTO t VALUES (?)", ["given up"], { signal: controller.signal });
    const others = outcomes([
      pool.run("INSERT INTO t VALUES (?)", ["kept"]),
      pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]),
      pool.run("INSERT INTO t VALUES (?)", ["kept, too"]),
    ]);
    await held.entered(0);
    controller.abort(reason);
    // At once: nothing of it will be left, whatever the others do.
    expect(await rejection(given)).toBe(reason);
    await held.release(0);
    expect(await others).toMatchObject([{ changes: 1 }, { changes: 1 }, { changes: 1 }]);
    const rows = await pool.all<{ a: unknown }>("SELECT a FROM t WHERE a LIKE '%kept%' OR a LIKE '%given%'");
    expect(rows.map(({ a }) => a)).toEqual(["kept", "kept, too"]);
  });

  it("by its timeout", async () => {
    const pool = await openPool({ readers: 1, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (?)", ["learn"]);
    const held = await holds(pool);
    const late = pool.run("INSERT INTO t VALUES (?)", ["late"], { timeout: 30 }).catch((error) => error);
    const other = pool.run("INSERT INTO t SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    expect(await late).toMatchObject({ code: "SQLITE_INTERRUPT" });
    await held.release(0);
    expect((await other).changes).toBe(1);
    expect(await pool.get("SELECT count(*) AS n FROM t WHERE a = 'late'")).toEqual({ n: 0 });
  });
});

describe("a call that is given up after it was done, before its answer is here", () => {
  it("fulfils, because it is in the file", async () => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel: null });
    await db.executescript("PRAGMA journal_mode = wal; CREATE TABLE t (a)");
    const engine = openEngine(path);
    const there = engine.prepare("SELECT count(*) AS n FROM t");
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const done = db.execute("INSERT INTO t VALUES (1)", [], { signal: controller.signal });
      const next = db.execute("INSERT INTO t VALUES (2)");
      // Both are sent in this turn or the next ones. When the second one is in the file, the first one has ended, and
      // in most rounds its answer has not been taken.
      const written = (): boolean => (there.get() as { n: number }).n === 2 * (i + 1);
      for (let looks = 1; !written(); looks++) if (looks % 500 === 1) await setImmediate();
      controller.abort(new Error("too late"));
      expect((await done).rowcount).toBe(1);
      await next;
    }
  });
});
