import { type Pool, ProgrammingError, type ReadTransaction } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { filledPool, holds, openPool, until } from "../support/pool-support.ts";

const count = (tx: Pick<Pool, "get">): Promise<unknown> => tx.get("SELECT count(*) AS n FROM t");

const filled = (options = {}, path?: string): Promise<Pool> =>
  filledPool(2, { readers: 2, ...options }, path);

describe("read()", () => {
  it("shows one snapshot, that of its start, whatever is written meanwhile and whoever writes it", async () => {
    const path = await temporaryPath();
    const pool = await filled({}, path);
    const other = openEngine(path);
    const begun = gate();
    const written = gate();
    const reading = pool.read(async (tx) => {
      begun.open();
      await written.opened;
      other.exec("INSERT INTO t VALUES (4)");
      expect(await count(tx)).toEqual({ n: 2 });
      expect(await tx.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
      other.exec("DELETE FROM t; DROP TABLE t");
      const rows: unknown[] = [];
      for await (const row of tx.iterate("SELECT a FROM t ORDER BY a DESC")) rows.push(row);
      expect(rows).toEqual([{ a: 2 }, { a: 1 }]);
      expect(await tx.get("SELECT a FROM t WHERE a > 9")).toBeUndefined();
      return "done";
    });
    await begun.opened;
    // Nothing was read so far.
    await pool.run("INSERT INTO t VALUES (3)");
    written.open();
    expect(await reading).toBe("done");
    expect(await rejection(count(pool))).toMatchObject({ message: "no such table: t" });
  });

  it("has a snapshot also of a database without a table", async () => {
    const path = await temporaryPath();
    const pool = await openPool({}, path);
    await pool.read(async (tx) => {
      openEngine(path).exec("CREATE TABLE t (a)");
      expect(await tx.all("SELECT name FROM sqlite_schema")).toEqual([]);
    });
    expect(await pool.all("SELECT name FROM sqlite_schema")).toEqual([{ name: "t" }]);
  });

  it("gives each caller a snapshot of its own, side by side", async () => {
    const pool = await filled({ readers: 3 });
    const later = gate();
    const reads: Promise<unknown>[] = [];
    for (let n = 2; n < 5; n++) {
      const begun = gate();
      reads.push(
        pool.read(async (tx) => {
          begun.open();
          await later.opened;
          return await count(tx);
        }),
      );
      await begun.opened;
      await pool.run("INSERT INTO t VALUES (0)");
    }
    expect(pool.stats()).toMatchObject({ readers: 3, busy: 3, waiting: 0 });
    later.open();
    expect(await Promise.all(reads)).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
  });

  it.each([
    ["a split pool", { readers: 1 }, undefined],
    ["a plain pool", { readers: 0, writers: 2 }, undefined],
    ["a single connection", { readers: 0, writers: 1 }, undefined],
    ["a database in memory", {}, ":memory:"],
  ])("rejects whatever writes, on %s", async (_title, options, path) => {
    const pool = await filled(options, path);
    await pool.read(async (tx) => {
      for (const sql of [
        "INSERT INTO t VALUES (3)",
        "DELETE FROM t RETURNING a",
        "WITH n AS (SELECT 1) UPDATE t SET a = 0",
        "CREATE TABLE u (a)",
        "CREATE TEMP TABLE u (a)",
        "DROP TABLE t",
        "PRAGMA user_version = 3",
        "VACUUM",
        "BEGIN IMMEDIATE",
      ]) {
        for (const call of [() => tx.get(sql), () => tx.all(sql), () => tx.iterate(sql).next()]) {
          expect(await rejection(call), `${String(call)} ${sql}`).toMatchObject({ code: "SQLITE_READONLY" });
        }
      }
      expect(await count(tx)).toEqual({ n: 2 });
    });
    expect(await count(pool)).toEqual({ n: 2 });
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await count(pool)).toEqual({ n: 3 });
  });

  it("gives its connection back when its callback throws, at once or later, and passes that on", async () => {
    const pool = await filled({ readers: 1 });
    const error = new Error("enough");
    const thrower = (): never => {
      throw error;
    };
    for (const fn of [
      thrower,
      async () => thrower(),
      async (tx: ReadTransaction) => count(tx).then(thrower),
    ]) {
      expect(await rejection(pool.read(fn))).toBe(error);
      expect(await count(pool)).toEqual({ n: 2 });
    }
    await pool.run("INSERT INTO t VALUES (3)");
    // The snapshot is gone as well.
    expect(await count(pool)).toEqual({ n: 3 });
    const { readers, respawned } = pool.stats();
    expect(respawned).toBe(0);
    // One for calls, and one for leases.
    expect(readers).toBeLessThanOrEqual(2);
  });

  it("leaves nothing of a half-read iteration behind", async () => {
    const pool = await filled({ readers: 1 });
    let rows: AsyncIterator<unknown> | undefined;
    await pool.read(async (tx) => {
      rows = tx.iterate("SELECT a FROM t, (VALUES (1), (2))")[Symbol.asyncIterator]();
      expect(await rows.next()).toMatchObject({ value: { a: 1 } });
    });
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await count(pool)).toEqual({ n: 3 });
    expect(
      await rejection(
        (async () => {
          for (;;) if ((await rows!.next()).done === true) return;
        })(),
      ),
    ).toBeInstanceOf(ProgrammingError);
  });

  it("ends an iteration when the signal of that is aborted, and goes on", async () => {
    const pool = await filled();
    const controller = new AbortController();
    await pool.read(async (tx) => {
      const rows = tx.iterate("SELECT a FROM t ORDER BY a", [], { signal: controller.signal });
      expect(await rows.next()).toEqual({ done: false, value: { a: 1 } });
      controller.abort();
      expect(await rejection(rows.next())).toBe(controller.signal.reason);
      expect(await rows.next()).toEqual({ done: true, value: undefined });
      expect(await count(tx)).toEqual({ n: 2 });
    });
  });

  it("gives up at once when its signal is aborted or its timeout is over, waiting or running", async () => {
    const pool = await filled({ readers: 1 });
    const reason = new Error("no longer wanted");
    const controller = new AbortController();
    const begun = gate();
    const running = pool.read(
      async (tx) => {
        begun.open();
        await count(tx);
        await new Promise(() => {});
      },
      { signal: controller.signal },
    );
    await begun.opened;
    expect(await rejection(pool.read(() => 1, { timeout: 5 }))).toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect(await rejection(pool.read(() => 1, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    controller.abort(reason);
    expect(await rejection(running)).toBe(reason);
    const slow = pool.read(() => new Promise(() => {}), { timeout: 5 });
    expect(await rejection(slow)).toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect(await count(pool)).toEqual({ n: 2 });
    await until(() => pool.stats().pending === 0);
  });

  it("lets go of a reader that still runs a statement of an aborted call", async () => {
    const pool = await filled({ readers: 1 });
    const held = await holds(pool);
    const controller = new AbortController();
    const running = pool.read((tx) => tx.get("SELECT hold(?)", [held.name(0)]), {
      signal: controller.signal,
    });
    await held.entered(0);
    controller.abort();
    expect(await rejection(running)).toBe(controller.signal.reason);
    // Another reader takes its place, although there may be one only.
    expect(await count(pool)).toEqual({ n: 2 });
    await held.release(0);
    await until(() => pool.stats().pending === 0 && pool.stats().readers === 1);
  });

  it("rejects a wrong callback and wrong options", async () => {
    const pool = await filled();
    expect(await rejection(pool.read("SELECT 1" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.read(() => 1, null as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.read(() => 1, { timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.read(() => 1, { signal: {} as never }))).toBeInstanceOf(TypeError);
    expect(await pool.read(() => 1)).toBe(1);
  });
});
