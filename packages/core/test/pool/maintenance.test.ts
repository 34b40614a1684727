import { copyFileSync, statSync } from "node:fs";
import type { Pool, PoolOptions } from "@sqlite-aio/core";
import { describe, expect, it, vi } from "vitest";
import { openEngine, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { filledPool, holds, poolFunctions, stopTheClock, until } from "../support/pool-support.ts";

const filled = (options: PoolOptions = {}, path?: string): Promise<Pool> =>
  filledPool(0, { readers: 2, ...options }, path);

/** How many rows the database file has without its log. */
function inFile(path: string): number {
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  const engine = openEngine(copy);
  try {
    return engine.prepare("SELECT count(*) FROM t").pluck().get() as number;
  } catch {
    // The table itself is in the log.
    return 0;
  }
}

describe("the log", () => {
  it("is moved into the file when the writer falls idle, whoever has written", async () => {
    const path = await temporaryPath();
    const pool = await filled({}, path);
    const other = openEngine(path);
    other.prepare("SELECT count(*) FROM t").get();
    const writes: (() => Promise<unknown>)[] = [
      () => pool.run("INSERT INTO t VALUES (1)"),
      () => pool.exec("INSERT INTO t VALUES (2)"),
      () => pool.transaction((tx) => tx.run("INSERT INTO t VALUES (3)")),
      () => pool.get("INSERT INTO t VALUES (4) RETURNING a"),
      async () => {
        await using conn = await pool.acquire();
        await conn.execute("INSERT INTO t VALUES (5)");
        await conn.commit();
      },
    ];
    // Two at a time, since each time takes a second.
    for (let i = 0; i < writes.length; i += 2) {
      await Promise.all(writes.slice(i, i + 2).map((write) => write()));
      const rows = Math.min(i + 2, writes.length);
      await until(() => inFile(path) === rows);
      expect(pool.stats().walBytes).toBeGreaterThan(0);
    }
  });

  it.each([
    ["a pool", {}],
    ["a pool whose rows may be arrays", { detectTypes: 1 }],
  ])("of %s is moved later where a reader keeps an old snapshot", async (_, options) => {
    const path = await temporaryPath();
    const pool = await filled(options, path);
    await pool.run("INSERT INTO t VALUES (1)");
    await until(() => inFile(path) === 1);
    const reading = gate();
    const over = gate();
    const snapshot = pool.read(async () => {
      reading.open();
      await over.opened;
    });
    await reading.opened;
    await pool.run("INSERT INTO t VALUES (2)");
    const { housekeeping } = pool.stats();
    await until(() => pool.stats().housekeeping > housekeeping);
    expect(inFile(path)).toBe(1);
    over.open();
    await snapshot;
    await until(() => inFile(path) === 2);
  });

  it("is not moved while somebody has the writer, and not at once when it is given back", async () => {
    const path = await temporaryPath();
    stopTheClock();
    const pool = await filled({}, path);
    await pool.run("INSERT INTO t VALUES (1)");
    const lease = await pool.acquire();
    for (let i = 0; i < 5; i++) vi.advanceTimersByTime(1000);
    await lease.close();
    // A checkpoint that waited for the lease would be over before that.
    await pool.run("DELETE FROM t WHERE false");
    expect(inFile(path)).toBe(0);
    vi.advanceTimersByTime(1000);
    await until(() => inFile(path) === 1);
  });

  it("is left alone where somebody else looks after it", async () => {
    const path = await temporaryPath();
    stopTheClock();
    const pool = await filled({ checkpoint: "external" }, path);
    await pool.run("INSERT INTO t VALUES (1)");
    await using conn = await pool.acquire();
    expect(await conn.executeFetchall("PRAGMA wal_autocheckpoint")).toEqual([[0]]);
    await conn.close();
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(1000);
      // A checkpoint would be over before that.
      await pool.run("DELETE FROM t WHERE false");
    }
    expect(inFile(path)).toBe(0);
  });

  it("does not keep more space than its limit once it has been moved", async () => {
    const usual = await filled();
    await using conn = await usual.acquire();
    expect(await conn.executeFetchall("PRAGMA journal_size_limit")).toEqual([[64 * 1024 * 1024]]);
    const path = await temporaryPath();
    const pool = await filled({ pragmas: { journal_size_limit: 100_000 } }, path);
    await pool.transaction(async (tx) => {
      for (let i = 0; i < 100; i++) await tx.run("INSERT INTO t VALUES (zeroblob(10000))");
    });
    expect(pool.stats().walBytes).toBeGreaterThan(1_000_000);
    expect(pool.stats().walBytes).toBe(statSync(`${path}-wal`).size);
    await pool.get("PRAGMA wal_checkpoint");
    await pool.run("INSERT INTO t VALUES (1)");
    expect(pool.stats().walBytes).toBeLessThanOrEqual(100_000);
  });
});

describe("idleTimeout", () => {
  it("closes readers that nobody needs, and opens them again for who does", async () => {
    stopTheClock();
    const idleTimeout = 40;
    const pool = await filled({ readers: 3, idleTimeout });
    const held = await holds(pool);
    const reads = Array.from({ length: 3 }, (_, i) => pool.get("SELECT hold(?)", [held.name(i)]));
    for (let i = 0; i < 3; i++) await held.entered(i);
    const lease = await Promise.all([held.release(0), reads[0]!]).then(() => pool.acquire({ mode: "read" }));
    for (let i = 1; i < 3; i++) await held.release(i);
    await Promise.all(reads);
    expect(pool.stats().readers).toBe(3);
    // The one that is held stays, and so does the writer.
    vi.advanceTimersByTime(100 * idleTimeout);
    expect(pool.stats()).toMatchObject({ readers: 1, writers: 1, respawned: 0 });
    expect(await lease.executeFetchall("SELECT 1")).toEqual([[1]]);
    await lease.close();
    vi.advanceTimersByTime(2 * idleTimeout);
    expect(pool.stats().readers).toBe(0);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
    expect(pool.stats().readers).toBe(1);
  });

  it("is counted from the end of a reader's last call", async () => {
    stopTheClock();
    const idleTimeout = 400;
    const pool = await filled({ readers: 1, idleTimeout });
    const held = await holds(pool);
    const read = pool.get("SELECT hold(?)", [held.name(0)]);
    await held.entered(0);
    // The call alone takes longer than that.
    vi.advanceTimersByTime(2 * idleTimeout);
    await held.release(0);
    await read;
    vi.advanceTimersByTime(idleTimeout - 1);
    expect(pool.stats().readers).toBe(1);
    // It is looked at twice in that time.
    vi.advanceTimersByTime(idleTimeout / 2);
    expect(pool.stats().readers).toBe(0);
  });

  it("of 0 ms closes none", async () => {
    stopTheClock();
    const pool = await filled({ idleTimeout: 0 });
    await pool.get("SELECT 1");
    vi.advanceTimersByTime(3_600_000);
    expect(pool.stats().readers).toBe(1);
  });

  it("never closes a reader under a call", async () => {
    const pool = await filled({ readers: 2, idleTimeout: 1 });
    for (let i = 0; i < 100; i++) {
      // A moment after which a reader is about to be closed, or is just closed, or is just opened.
      const pause = i % 25;
      if (pause > 20) await new Promise((resolve) => setTimeout(resolve, pause));
      expect(await pool.get("SELECT ? AS i", [i])).toEqual({ i });
    }
    expect(pool.stats().respawned).toBe(0);
  });
});

describe("stats()", () => {
  it("tells what every thread does, who holds it, and how many wait", async () => {
    const pool = await filled({ readers: 2 });
    const held = await holds(pool);
    expect(pool.stats()).toEqual({
      writers: 1,
      readers: 0,
      idle: 1,
      busy: 0,
      waiting: 0,
      queued: 0,
      pending: 0,
      executed: expect.any(Number),
      housekeeping: 0,
      respawned: 0,
      walBytes: expect.any(Number),
      threads: [{ role: "writer", queued: 0, executed: expect.any(Number), heldBy: null, stuck: false }],
    });
    const conn = await pool.acquire();
    const writes = [pool.run("INSERT INTO t VALUES (1)"), pool.exec("INSERT INTO t VALUES (2)")];
    const reads = [
      pool.get("SELECT hold(?)", [held.name(0)]),
      pool.read((tx) => tx.get("SELECT hold(?)", [held.name(1)])),
    ];
    await held.entered(0);
    await held.entered(1);
    expect(pool.stats()).toMatchObject({
      writers: 1,
      readers: 2,
      idle: 0,
      busy: 3,
      waiting: 2,
      queued: 1,
      pending: 5,
    });
    expect(
      pool
        .stats()
        .threads.map(({ role, heldBy }) => `${role} ${heldBy}`)
        .toSorted(),
    ).toEqual(["reader null", "reader read()", "writer acquire()"]);
    await held.release(0);
    await held.release(1);
    await conn.close();
    await Promise.all([...writes, ...reads]);
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ idle: 3, busy: 0, waiting: 0, queued: 0 });
  });

  it("counts what each thread has answered, and the threads that died", async () => {
    const pool = await filled({ readers: 1 });
    const executed = (role: string): number =>
      pool.stats().threads.find((thread) => thread.role === role)?.executed ?? 0;
    await pool.get("SELECT 1");
    const before = { writer: executed("writer"), reader: executed("reader"), all: pool.stats().executed };
    for (let i = 0; i < 10; i++) await pool.run("INSERT INTO t VALUES (1)");
    for (let i = 0; i < 20; i++) await pool.get("SELECT 1");
    expect(executed("writer") - before.writer).toBe(10);
    expect(executed("reader") - before.reader).toBe(20);
    expect(pool.stats().executed - before.all).toBe(30);
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    await pool.get("SELECT exit_if(1)").catch(() => {});
    expect(pool.stats().respawned).toBe(1);
  });
});
