import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { capabilities, connect, createPool, OperationalError } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { endless, endlessInsert, entrance } from "../support/endless.ts";
import { abortedWithin, holds, poolFunctions, stopTheClock, until } from "../support/pool-support.ts";
import { random } from "../support/random.ts";
import { timeFactor } from "../support/time-factor.ts";

const INTERRUPTED = { name: "OperationalError", code: "SQLITE_INTERRUPT" };
const reason = new Error("enough");

/** A statement of `steps` steps, which gives that number. */
const counting = (steps: number): string =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${steps}) SELECT count(*) FROM n`;

/** After a moment: a microtask, some turns of the loop, or some milliseconds. */
async function moment(pick: (below: number) => number): Promise<void> {
  const kind = pick(4);
  if (kind === 1) for (let turns = pick(20); turns > 0; turns--) await nextTurn();
  if (kind === 2) await sleep(pick(6));
  if (kind === 3) {
    const end = performance.now() + pick(1000) / 1000;
    while (performance.now() < end);
  }
}

describe.runIf(capabilities.interrupt)("with the native companion", () => {
  it("200 interrupts at random moments stop the statements that were meant, and no other", async () => {
    const db = await open();
    const pick = random(7);
    for (let round = 0; round < 200; round++) {
      const controller = new AbortController();
      const steps = Array.from({ length: 6 }, () => (pick(3) === 0 ? 20_000 + pick(100_000) : 1 + pick(20)));
      const meant = pick(6);
      const ends = pick(2) === 0;
      const calls = steps.map((n, i) => {
        if (i !== meant) return db.executeFetchall(counting(n));
        const sql = ends ? counting(n) : endless;
        return db.executeFetchall(sql, [], { signal: controller.signal }).catch((error: unknown) => error);
      });
      await moment(pick);
      controller.abort(reason);
      const results = await Promise.all(calls);
      // One that ends may have ended before.
      const stopped = !ends || results[meant] === reason;
      const expected = steps.map((n, i) => (i === meant && stopped ? reason : [[n]]));
      expect(results, `round ${round}`).toEqual(expected);
    }
    expect(await db.executeFetchall(counting(10))).toEqual([[10]]);
  });

  it.each([
    ["a read", 100, "execute", "SELECT hold(?)"],
    ["a write, which is undone,", 100, "execute", "INSERT INTO t SELECT hold(?)"],
    ["a script, which keeps what is done,", 2000, "executescript", "INSERT INTO t SELECT hold(?)"],
  ] as const)("%s that cannot be stopped keeps its caller for %i ms", async (_, limit, call, sql) => {
    const db = await open(":memory:", { isolationLevel: null });
    await db.execute("CREATE TABLE t (a)");
    const held = await holds(db);
    stopTheClock();
    const controller = new AbortController();
    let told: unknown = null;
    const { signal } = controller;
    const text = sql.replace("?", `'${held.name(0)}'`);
    const running =
      call === "execute" ? db.execute(text, [], { signal }) : db.executescript(text, { signal });
    const outcome = rejection(running).then((error) => (told = error));
    await held.entered(0);
    controller.abort(reason);
    vi.advanceTimersByTime(limit);
    await nextTurn();
    expect(told).toBe(null);
    // It looks every 20 ms.
    vi.advanceTimersByTime(40);
    expect(await outcome).toBe(reason);
    await held.release(0);
  });

  it("interrupt() stops what was called before and nothing that is called after", async () => {
    const db = await open();
    const pick = random(11);
    for (let round = 0; round < 50; round++) {
      const before = [
        db.executeFetchall(counting(1 + pick(50_000))),
        db.executeFetchall(endless),
        db.execute(endless),
      ];
      const settled = Promise.allSettled(before);
      await moment(pick);
      await db.interrupt();
      const after = await Promise.all([3, 2, 1].map((n) => db.executeFetchall(counting(n))));
      expect(after).toEqual([[[3]], [[2]], [[1]]]);
      const [first, ...others] = await settled;
      if (first?.status === "rejected") expect(first.reason).toMatchObject(INTERRUPTED);
      for (const other of others) {
        expect(other).toMatchObject({ status: "rejected", reason: INTERRUPTED });
      }
    }
  });

  it("an abort rejects the call within 20 ms where nothing else runs, and a timeout does so in time", async () => {
    const db = await open();
    const { within, entered } = await entrance(db);
    const latencies: number[] = [];
    for (let round = 1; round <= 15; round++) {
      const controller = new AbortController();
      const call = rejection(db.executeFetchall(within(endless), [], { signal: controller.signal }));
      await entered(round);
      // The delays of the loop itself are not what is measured.
      let turned = performance.now();
      let late = 0;
      const ticker = setInterval(() => {
        late = Math.max(late, performance.now() - turned - 1);
        turned = performance.now();
      }, 1);
      const aborted = performance.now();
      controller.abort(reason);
      expect(await call).toBe(reason);
      latencies.push(performance.now() - aborted - late);
      clearInterval(ticker);
    }
    // All but the least have waited for a core, perhaps.
    expect(Math.min(...latencies)).toBeLessThan(20 * timeFactor());

    const error = await rejection(db.executeFetchall(endless, [], { timeout: 30 }));
    expect(error).toMatchObject({ ...INTERRUPTED, sql: endless });
    expect((error as Error).message).toContain("timeout of 30 ms");
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("an abort before SQLite has started the statement stops it all the same", async () => {
    const db = await open(":memory:", {
      engine: new URL("../fixtures/engine-hesitant.mjs", import.meta.url),
    });
    const held = await holds(db);
    const controller = new AbortController();
    const sql = `/* first hold(${held.name(0)}) */ ${counting(20_000_000)}`;
    const call = rejection(db.executeFetchall(sql, [], { signal: controller.signal }));
    await held.entered(0);
    // SQLite forgets this interrupt when the statement starts.
    controller.abort(reason);
    await held.release(0);
    expect(await call).toBe(reason);
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("cursors that are half read end with an error when another statement is stopped, new ones do not", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    const cursor = await db.execute("SELECT value FROM json_each(?)", [
      JSON.stringify(Array.from({ length: 1000 }, (_, i) => i)),
    ]);
    expect(await cursor.fetchone()).toEqual([0]);
    const { within, entered } = await entrance(db);
    const controller = new AbortController();
    const call = rejection(db.executeFetchall(within(endless), [], { signal: controller.signal }));
    await entered(1);
    controller.abort(reason);
    expect(await call).toBe(reason);
    const rows: unknown[] = [];
    const error = await rejection(async () => {
      for await (const [value] of cursor as AsyncIterable<[number]>) rows.push(value);
    });
    expect(error).toMatchObject(INTERRUPTED);
    // Rows that were sent before are there.
    expect(rows).toEqual(Array.from({ length: rows.length }, (_, i) => i + 1));
    expect(rows.length).toBeLessThan(30);
    const next = await db.execute("SELECT value FROM json_each('[1,2,3]')");
    expect(await next.fetchall()).toEqual([[1], [2], [3]]);
  });

  it("a transaction that SQLite rolled back with the interrupt says so, and one that only read goes on", async () => {
    const path = await temporaryPath();
    const db = await open(path);
    await db.executescript("CREATE TABLE t (x)");
    await db.execute("INSERT INTO t VALUES (1)");
    expect(await rejection(db.executeFetchall(endless, [], { timeout: 20 }))).toMatchObject({
      ...INTERRUPTED,
      rolledBack: false,
    });
    expect(db.inTransaction).toBe(true);
    await db.createFunction("stop", 0, () => {
      void db.interrupt();
      return 1;
    });
    for (let round = 0; round < 2; round++) {
      const stopped = await rejection(db.execute(`${endlessInsert} WHERE i > 1 OR stop()`));
      expect(stopped).toMatchObject({ ...INTERRUPTED, rolledBack: true });
      expect(db.inTransaction).toBe(false);
      expect(await db.executeFetchall("SELECT x FROM t")).toEqual([]);
    }
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
  });

  it("a transaction in which a write is stopped while it is compiled is rolled back, as its caller was told", async () => {
    const db = await open(":memory:", { isolationLevel: null });
    await db.execute("CREATE TABLE t (a)");
    const held = await holds(db);
    await db.setAuthorizer(poolFunctions, { export: "holdTable" });
    const outcome = await rejection(
      db.transaction(async (tx) => {
        await tx.execute("INSERT INTO t VALUES (1)");
        const late = await rejection(tx.execute(`CREATE TABLE "${held.name(0)}" (a)`, [], { timeout: 50 }));
        await held.release(0);
        expect(late).toMatchObject({ ...INTERRUPTED, rolledBack: true });
        await tx.execute("INSERT INTO t VALUES (2)");
      }),
    );
    expect(outcome).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    await db.execute("INSERT INTO t VALUES (3)");
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[3]]);
  });

  // SQLite keeps an interrupt while a statement is under way, and an R-tree's own is until its transaction ends.
  it.each([
    ["a read", `${endless} WHERE i = (SELECT count(*) FROM r)`],
    ["a read inside a function", "SELECT hold(?)"],
    ["a write inside a function", "INSERT INTO t VALUES (hold(?))"],
  ])("a transaction that wrote to an R-tree is rolled back when %s in it is stopped", async (_, sql) => {
    const db = await open(":memory:", { isolationLevel: null });
    await db.executescript("CREATE TABLE t (a); CREATE VIRTUAL TABLE r USING rtree (id, low, high)");
    const held = await holds(db);
    const text = sql.replace("?", `'${held.name(0)}'`);
    const outcome = await rejection(
      db.transaction(async (tx) => {
        await tx.execute("INSERT INTO r VALUES (1, 2, 3)");
        const late = await rejection(tx.execute(text, [], { timeout: 50 }));
        expect(late).toMatchObject(INTERRUPTED);
        // Of one that goes on inside its function nobody knows what becomes of a transaction that it only reads in.
        if (!sql.startsWith("SELECT hold")) expect(late).toMatchObject({ rolledBack: true });
        await held.release(0);
        await tx.execute("INSERT INTO t VALUES (1)");
      }),
    );
    expect(outcome).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    await db.execute("INSERT INTO r VALUES (4, 5, 6)");
    expect(await db.executeFetchall("SELECT id FROM r UNION ALL SELECT a FROM t")).toEqual([[4]]);
  });

  it("a signal's reason that is an OperationalError tells of the rollback, too", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (x)");
    const given = new OperationalError("given up");
    const signal = await abortedWithin(db, given);
    const filled = rejection(db.execute(`${endlessInsert} WHERE i > 1 OR give_up()`, [], { signal }));
    expect(await filled).toBe(given);
    expect(given.rolledBack).toBe(true);
    expect(db.inTransaction).toBe(false);
  });

  it("transaction() cannot commit what is left when a statement in it was stopped", async () => {
    const path = await temporaryPath();
    const db = await open(path);
    await db.executescript("CREATE TABLE t (x)");
    const signal = await abortedWithin(db, reason);
    const failed = rejection(
      db.transaction(async (tx) => {
        await tx.execute("INSERT INTO t VALUES (1)");
        const stopped = tx.execute(`${endlessInsert} WHERE i > 1 OR give_up()`, [], { signal });
        expect(await rejection(stopped)).toBe(reason);
        expect(await rejection(tx.execute("INSERT INTO t VALUES (2)"))).toBeInstanceOf(OperationalError);
      }),
    );
    expect(await failed).toMatchObject({ name: "OperationalError", code: "SQLITE_ABORT_ROLLBACK" });
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
  });

  it("executemany and scripts are stopped within a statement", async () => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel: null, pragmas: { journal_mode: "WAL" } });
    await db.executescript("CREATE TABLE t (x)");
    const reader = await connect(path);
    onTestFinished(() => reader.close());
    const count = async (): Promise<unknown> =>
      (await reader.executeFetchall("SELECT count(*) FROM t"))[0]![0];
    const stopped = async (call: Promise<unknown>, rows: number): Promise<void> => {
      const outcome = rejection(call);
      await until(async () => (await count()) === rows);
      await db.interrupt();
      expect(await outcome).toMatchObject(INTERRUPTED);
    };
    const fill =
      "INSERT INTO t (x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i FROM n";
    await stopped(db.executemany(fill, [[3], [1e9], [5]]), 3);
    await stopped(
      db.executescript(`INSERT INTO t VALUES (4); ${endlessInsert}; INSERT INTO t VALUES (6)`),
      4,
    );
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1], [2], [3], [4]]);
  });

  it("the timeout of an executemany and of a script stops the statement that runs", async () => {
    const db = await open(undefined, { isolationLevel: null });
    await db.executescript("CREATE TABLE t (x)");
    expect(await rejection(db.executemany(endlessInsert, [[], []], { timeout: 50 }))).toMatchObject(
      INTERRUPTED,
    );
    expect(await rejection(db.executescript(`${endlessInsert}; SELECT 1`, { timeout: 50 }))).toMatchObject(
      INTERRUPTED,
    );
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[0]]);
  });

  it("of 10,000 aborted writes, alone and grouped, those are in the file that were answered, and no other", async () => {
    const path = await temporaryPath();
    const pool = await createPool(path, { pragmas: { synchronous: "OFF" } });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (id INTEGER, x INTEGER)");
    const db = await connect(path, { isolationLevel: null, pragmas: { synchronous: "OFF" } });
    onTestFinished(() => db.close());
    const sql = `INSERT INTO t (id, x)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?2) SELECT ?1, i FROM n`;
    const pick = random(3);
    const answered = new Map<number, number>();
    let aborted = 0;
    for (let id = 0; id < 10_000; ) {
      const calls: Promise<void>[] = [];
      // Some by themselves, some in crowds that share a transaction.
      for (let left = pick(3) === 0 ? 1 : 50 + pick(50); left > 0 && id < 10_000; left--) {
        const number = id++;
        const rows = pick(40) === 0 ? 20_000 : 1 + pick(3);
        const controller = new AbortController();
        const { signal } = controller;
        const call =
          pick(4) === 0
            ? db.execute(sql, [number, rows], { signal })
            : pool.run(sql, [number, rows], { signal });
        calls.push(
          call.then(
            () => void answered.set(number, rows),
            (error: unknown) => {
              expect(error).toBe(reason);
              aborted++;
            },
          ),
        );
        // A quarter when they are over: so there are enough that are answered, as those that are not sent are aborted.
        const when = pick(4) === 0 ? calls.at(-1)! : moment(pick);
        calls.push(when.then(() => controller.abort(reason)));
        if (pick(10) === 0) await nextTurn();
      }
      await Promise.all(calls);
    }
    const found = openEngine(path).prepare("SELECT id, count(*) FROM t GROUP BY id").raw().all();
    const wanted = [...answered].toSorted(([a], [b]) => a - b);
    expect(found).toEqual(wanted);
    expect(answered.size + aborted).toBe(10_000);
    expect(Math.min(answered.size, aborted)).toBeGreaterThan(500);
  });
});

describe.runIf(!capabilities.interrupt)("without the native companion", () => {
  it("a running statement's caller is answered at once, and the connection goes on when it is done", async () => {
    const db = await open();
    const held = await holds(db);
    const controller = new AbortController();
    const call = rejection(
      db.executeFetchall("SELECT hold(?)", [held.name(0)], { signal: controller.signal }),
    );
    await held.entered(0);
    controller.abort(reason);
    const next = db.executeFetchall("SELECT 1");
    expect(await call).toBe(reason);
    await held.release(0);
    expect(await next).toEqual([[1]]);
  });
});
