import { createPool, OperationalError, type Pool } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { rejection, temporaryPath } from "../support/database.ts";
import { type Holds, holds, openPool, until } from "../support/pool-support.ts";

const MS = 100;
const FREELY = { timeout: 0 };
const given = { name: "OperationalError", code: "SQLITE_INTERRUPT" };
const over = { ...given, message: `interrupted: the timeout of ${MS} ms is over` };

let pool: Pool;
let held: Holds;

beforeEach(async () => {
  pool = await openPool({ readers: 2, callTimeout: MS });
  await pool.exec("CREATE TABLE t (a)", FREELY);
  held = await holds(pool);
  await pool.get("SELECT 1", [], FREELY);
});

describe("callTimeout", () => {
  it("ends a call that says nothing of its time", async () => {
    const running = pool.get("SELECT hold(?)", [held.name(1)]);
    await held.entered(1);
    const error = await rejection(running);
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ ...over, sql: "SELECT hold(?)" });
    await held.release(1);
  });

  it("lets a call take as long as it says itself, be it shorter, longer or without end", async () => {
    expect(await rejection(pool.get("SELECT hold(?)", [held.name(1)], { timeout: 20 }))).toMatchObject({
      ...given,
      message: "interrupted: the timeout of 20 ms is over",
    });
    await held.release(1);
    const since = performance.now();
    const calls = [
      pool.get("SELECT hold(?) AS h", [held.name(2)], FREELY),
      pool.run("INSERT INTO t VALUES (hold(?))", [held.name(3)], { timeout: 60_000 }),
    ];
    await Promise.all([held.entered(2), held.entered(3)]);
    // Ended by the time of the pool, and not before.
    expect(await rejection(pool.run("INSERT INTO t VALUES (1)"))).toMatchObject(over);
    expect(performance.now() - since).toBeGreaterThanOrEqual(MS - 1);
    await held.release(2);
    await held.release(3);
    expect(await Promise.all(calls)).toMatchObject([{ h: 1 }, { changes: 1 }]);
    expect(await pool.get("SELECT count(*) AS n FROM t", [], FREELY)).toEqual({ n: 1 });
  });

  it("holds for every single call of the pool that waits for the writer", async () => {
    const connection = await pool.acquire();
    const statement = pool.prepare("INSERT INTO t VALUES (1)");
    const errors = await Promise.all([
      rejection(pool.run("INSERT INTO t VALUES (1)")),
      rejection(pool.get("INSERT INTO t VALUES (1) RETURNING a")),
      rejection(pool.execute("INSERT INTO t VALUES (1) RETURNING a", [], {})),
      rejection(pool.exec("DELETE FROM t")),
      rejection(pool.executemany("INSERT INTO t VALUES (?)", [[1]])),
      rejection(pool.iterate("INSERT INTO t VALUES (1) RETURNING a").next()),
      rejection(statement.run()),
    ]);
    for (const error of errors) expect(error).toMatchObject(over);
    // A connection on lease is its holder's.
    await connection.execute("SELECT 1");
    await connection.close();
    expect(await pool.all("SELECT * FROM t", [], FREELY)).toEqual([]);
  });

  it("holds for every single call of the pool that waits for a reader", async () => {
    const one = await openPool({ readers: 0, callTimeout: MS });
    const connection = await one.acquire();
    const target = await temporaryPath("copy.db");
    const errors = await Promise.all([
      rejection(one.all("SELECT 1")),
      rejection(one.iterate("SELECT 1").next()),
      rejection(one.prepare("SELECT 1").columns()),
      rejection(one.serialize()),
      rejection(one.backup(target)),
    ]);
    for (const error of errors) expect(error).toMatchObject(over);
    await connection.close();
  });

  it("holds for the calls of a transaction's handle, and not for the transaction as a whole", async () => {
    const outcome = await pool.transaction(async (tx) => {
      const begun = performance.now();
      await tx.run("INSERT INTO t VALUES (1)", [], FREELY);
      expect(await rejection(tx.get("SELECT hold(?)", [held.name(1)]))).toMatchObject(over);
      await held.release(1);
      await until(() => performance.now() - begun > 2 * MS);
      expect(await tx.get("SELECT count(*) AS n FROM t", [], FREELY)).toEqual({ n: 1 });
      return "committed";
    });
    expect(outcome).toBe("committed");
    await pool.read(async (tx) => {
      expect(await rejection(tx.all("SELECT hold(?)", [held.name(2)]))).toMatchObject(over);
      expect(await rejection(tx.iterate("SELECT hold(?)", [held.name(3)]).next())).toMatchObject(over);
      await held.release(2);
      await held.release(3);
    });
  });

  it("is checked like other options, and off unless it is given", async () => {
    const path = await temporaryPath();
    for (const callTimeout of ["5", 1.5, null, {}])
      expect(await rejection(createPool(path, { callTimeout } as never))).toBeInstanceOf(TypeError);
    expect(await rejection(createPool(path, { callTimeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(createPool(path, { callTimeout: 2 ** 31 }))).toBeInstanceOf(RangeError);
    const free = await openPool({ readers: 0, callTimeout: 0 });
    const connection = await free.acquire();
    const waiting = free.get("SELECT 1 AS one");
    const begun = performance.now();
    await until(() => performance.now() - begun > MS);
    await connection.close();
    expect(await waiting).toEqual({ one: 1 });
  });
});
