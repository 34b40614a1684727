import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type CallOptions, capabilities, type Connection, type Pool } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { type Holds, holds, openPool } from "../support/pool-support.ts";

/** SQLite looks for an interrupt where a statement jumps, and behind the call this one does not: nothing stops it. */
const INSERT = "INSERT INTO t VALUES (hold(?))";
const reason = new Error("no longer wanted");

/** Gives a call up while the thread is inside its statement, which then runs to its end. */
async function givenUp(held: Holds, call: (options: CallOptions) => Promise<unknown>): Promise<unknown> {
  const controller = new AbortController();
  const answer = rejection(call({ signal: controller.signal }));
  await held.entered(0);
  controller.abort(reason);
  // Nobody waits for the statement.
  const error = await answer;
  await held.release(0);
  return error;
}

async function poolAt(path: string): Promise<{ pool: Pool; held: Holds }> {
  const pool = await openPool({ readers: 1, writers: 1 }, path);
  await pool.exec("CREATE TABLE t (a)");
  return { pool, held: await holds(pool) };
}

/** What is in the file when all is done. */
async function left(path: string, done: Pick<Pool | Connection, "close">): Promise<unknown[]> {
  await done.close();
  const engine = openEngine(path);
  return [
    ...(engine.prepare("SELECT a FROM t").all() as { a: unknown }[]).map(({ a }) => a),
    ...(engine.prepare("SELECT name FROM sqlite_schema WHERE name <> 't'").all() as { name: string }[]).map(
      ({ name }) => name,
    ),
  ];
}

describe("a write that is given up while it runs", () => {
  it.each([
    ["INSERT", INSERT],
    ["INSERT ... RETURNING", `${INSERT} RETURNING a`],
    ["INSERT ... SELECT, which an interrupt stops", "INSERT INTO t SELECT 'given up' WHERE hold(?)"],
    ["CREATE TABLE ... AS", "CREATE TABLE u AS SELECT hold(?) AS a"],
  ])("leaves nothing: %s", async (_, sql) => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    const text = sql.replace("?", `'${held.name(0)}'`);
    expect(await givenUp(held, (options) => pool.all(text, [], options))).toBe(reason);
    expect((await pool.run("INSERT INTO t VALUES ('later')")).changes).toBe(1);
    expect(await left(path, pool)).toEqual(["later"]);
  });

  it("leaves nothing of its transaction, whoever catches the error", async () => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    const error = await rejection(
      pool.transaction(async (tx) => {
        await tx.run("INSERT INTO t VALUES ('before')");
        expect(await givenUp(held, (options) => tx.run(INSERT, [held.name(0)], options))).toBe(reason);
        await tx.run("INSERT INTO t VALUES ('after')");
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(await left(path, pool)).toEqual([]);
  });

  it("says so by its timeout's error", async () => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    await pool
      .transaction(async (tx) => {
        const late = rejection(tx.run(INSERT, [held.name(0)], { timeout: 300 }));
        await held.entered(0);
        const error = await late;
        await held.release(0);
        expect(error).toMatchObject({ code: "SQLITE_INTERRUPT", rolledBack: true });
      })
      .catch(() => {});
    expect(await left(path, pool)).toEqual([]);
  });

  it("leaves nothing of its transaction when it was quick before, and runs together with others", async () => {
    const path = await temporaryPath();
    // Without functions, which would keep it from running in one call of the companion.
    const pool = await openPool({ readers: 1, writers: 1 }, path);
    await pool.exec("CREATE TABLE t (a)");
    // A function of SQLite's that takes a second for large values, in which nothing stops it.
    const sql = "INSERT INTO t VALUES (instr(zeroblob(2 * ?1), CAST(zeroblob(?1) || x'01' AS BLOB)))";
    const error = await rejection(
      pool.transaction(async (tx) => {
        for (let i = 0; i < 20; i++) await tx.run(sql, [1]);
        const before = tx.run(sql, [2]);
        const late = await rejection(tx.run(sql, [300_000], { timeout: 50 }));
        expect(late).toMatchObject({ code: "SQLITE_INTERRUPT", rolledBack: true });
        expect(await before).toMatchObject({ changes: 1 });
      }),
    );
    expect(error).toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(await left(path, pool)).toEqual([]);
  });

  it("leaves the rows that its function's failure leaves, and no more, whoever waits for it", async () => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    const fails = "INSERT INTO t SELECT 'given up' WHERE hold(?) AND json('no json')";
    expect(await givenUp(held, (options) => pool.run(fails, [held.name(0)], options))).toBe(reason);
    expect((await pool.run("INSERT INTO t VALUES ('later')")).changes).toBe(1);
    expect(await left(path, pool)).toEqual(["later"]);
  });

  it("counts nothing, and the next one counts as ever", async () => {
    const db = await open(await temporaryPath(), { isolationLevel: null });
    await db.execute("CREATE TABLE t (a)");
    const held = await holds(db);
    const before = db.totalChanges;
    expect(await givenUp(held, (options) => db.execute(INSERT, [held.name(0)], options))).toBe(reason);
    const next = await db.execute("INSERT INTO t VALUES ('next'), ('one')");
    expect([next.rowcount, next.lastrowid, db.totalChanges - before]).toEqual([2, 2, 2]);
  });

  it("leaves nothing of a raw transaction", async () => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    const db = await pool.acquire();
    await db.execute("BEGIN");
    await db.execute("INSERT INTO t VALUES ('before')");
    expect(await givenUp(held, (options) => db.execute(INSERT, [held.name(0)], options))).toBe(reason);
    expect(await rejection(db.execute("COMMIT"))).toMatchObject({ name: "OperationalError" });
    await db.close();
    expect(await left(path, pool)).toEqual([]);
  });

  it.each([
    ["autocommit", null, ["before"]],
    ["an implicit transaction", "DEFERRED", []],
  ] as const)("leaves nothing on a connection in %s", async (_, isolationLevel, kept) => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel });
    await db.execute("CREATE TABLE t (a)");
    const held = await holds(db);
    await db.execute("INSERT INTO t VALUES ('before')");
    expect(await givenUp(held, (options) => db.execute(INSERT, [held.name(0)], options))).toBe(reason);
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[kept.length]]);
    expect(db.inTransaction).toBe(false);
    await db.execute("INSERT INTO t VALUES ('after')");
    await db.commit();
    expect(await left(path, db)).toEqual([...kept, "after"]);
  });

  it("does not touch a half-read cursor of its connection without need", async () => {
    const db = await open(await temporaryPath(), { isolationLevel: null, iterChunkSize: 2 });
    await db.executescript(
      "CREATE TABLE t (a); CREATE TABLE n (i); INSERT INTO n VALUES (1),(2),(3),(4),(5)",
    );
    const cursor = await db.execute("SELECT i FROM n ORDER BY i");
    expect(await cursor.fetchone()).toEqual([1]);
    // The write beside it runs in a transaction of the driver's where it cannot be interrupted.
    await db.execute("INSERT INTO t VALUES ('beside')");
    expect(await cursor.fetchall()).toEqual([[2], [3], [4], [5]]);
    expect(await db.executeFetchall("SELECT a, changes(), last_insert_rowid() FROM t")).toEqual([
      ["beside", 1, 1],
    ]);
  });
});

describe("a write whose rows are sent when it is given up", () => {
  it("fulfils, because it is in the file", async () => {
    const path = await temporaryPath();
    const pool = await openPool({ readers: 1, writers: 1 }, path);
    await pool.exec("CREATE TABLE t (a)");
    const engine = openEngine(path);
    const there = engine.prepare("SELECT count(*) AS n FROM t");
    const controller = new AbortController();
    const ROWS = 200_000;
    const rows = pool.all(
      `INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${ROWS}) SELECT i FROM n RETURNING a`,
      [],
      { signal: controller.signal },
    );
    // The next packet of rows is taken in a later turn of this loop.
    while ((there.get() as { n: number }).n === 0) await new Promise(setImmediate);
    controller.abort(reason);
    expect(await rows).toHaveLength(ROWS);
    expect(there.get()).toEqual({ n: ROWS });
  });
});

describe.runIf(capabilities.interrupt)("a write that is committed before an earlier one of its group", () => {
  it("fulfils if it is given up before its answer has arrived", async () => {
    const path = await temporaryPath();
    const { pool, held } = await poolAt(path);
    const controller = new AbortController();
    // The two that follow wait for it, and come together.
    const before = pool.run("DELETE FROM t");
    const late = pool.run("INSERT INTO t SELECT 'late' WHERE hold(iif((SELECT count(*) FROM t) = 0, ?, ?))", [
      held.name(0),
      held.name(1),
    ]);
    const first = pool.run("INSERT INTO t VALUES ('first')", [], { signal: controller.signal });
    await held.entered(0);
    // The others wait for it. So it is interrupted, and runs again after them.
    await sleep(150);
    writeFileSync(held.name(0), "");
    // No answer is taken meanwhile.
    const limit = performance.now() + 5000;
    while (!existsSync(`${held.name(1)}.entered`) && performance.now() < limit);
    controller.abort(reason);
    const outcome = await first.catch((error: unknown) => error);
    await held.release(1);
    expect(outcome).toMatchObject({ changes: 1 });
    expect(await before).toMatchObject({ changes: 0 });
    expect(await late).toMatchObject({ changes: 1 });
    expect(await left(path, pool)).toEqual(["first", "late"]);
  });
});
