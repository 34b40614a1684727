import { existsSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import {
  ConnectionClosedError,
  createPools,
  OperationalError,
  parkThreads,
  type Pool,
  type Pools,
  type PoolsOptions,
  PoolTimeoutError,
  ProgrammingError,
  threadStats,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { rejection, temporaryFolder } from "../../support/database.ts";
import { type Gate, gate } from "../../support/gate.ts";
import { until } from "../../support/pool-support.ts";

interface Made {
  readonly pools: Pools;
  readonly folder: string;
  /** The keys, in the order in which their databases were opened. */
  readonly opened: string[];
}

/** Databases in a folder of their own, one thread each. */
async function make(options: Partial<PoolsOptions> = {}): Promise<Made> {
  const folder = await temporaryFolder();
  const opened: string[] = [];
  const pools = createPools({
    open: (key) => {
      opened.push(key);
      return { database: `${folder}/${key}.db`, options: { readers: 0 } };
    },
    ...options,
  });
  onTestFinished(() => pools.close({ timeout: 1000 }));
  return { pools, folder, opened };
}

const nothing = (): void => {};
const CREATE = "CREATE TABLE IF NOT EXISTS t (n INTEGER)";

/** Uses that hold their databases until they are let go. */
function hold(
  pools: Pools,
  key: string,
): { readonly entered: Promise<void>; readonly over: Promise<void>; readonly let: () => void } {
  const [inside, leave]: [Gate, Gate] = [gate(), gate()];
  const over = pools.use(key, async () => {
    inside.open();
    await leave.opened;
  });
  over.catch(nothing);
  return { entered: inside.opened, over, let: leave.open };
}

describe("use()", () => {
  it("opens the database of a key once, gives what the callback gives, and keeps it open", async () => {
    const { pools, opened } = await make();
    await pools.use("a", async (pool) => {
      await pool.exec(CREATE);
      await pool.run("INSERT INTO t VALUES (1)");
    });
    const first = await pools.use("a", async (pool) => pool);
    expect(await pools.use("a", (pool) => pool.all("SELECT n FROM t"))).toEqual([{ n: 1 }]);
    expect(await pools.use("a", (pool) => pool)).toBe(first);
    expect(await pools.use("a", () => 7)).toBe(7);
    expect(opened).toEqual(["a"]);
    expect(pools.stats()).toEqual({
      open: 1,
      inUse: 0,
      opening: 0,
      closing: 0,
      waiting: 0,
      opened: 1,
      evicted: 0,
    });
  });

  it("opens a database once for callers that come together, also where open() takes its time", async () => {
    const folder = await temporaryFolder();
    const ready = gate();
    const asked: number[] = [];
    const { pools } = await make({
      open: async (key) => {
        asked.push(1);
        await ready.opened;
        return { database: `${folder}/${key}.db` };
      },
    });
    const uses = Promise.all(Array.from({ length: 20 }, () => pools.use("a", (pool) => pool)));
    await turn();
    expect(pools.stats()).toMatchObject({ opening: 1, open: 0, waiting: 0 });
    ready.open();
    const [first, ...others] = await uses;
    expect(others.every((pool) => pool === first)).toBe(true);
    expect(asked).toEqual([1]);
  });

  it("rejects with what the callback throws, and the database stays", async () => {
    const { pools, opened } = await make();
    const boom = new Error("boom");
    expect(await rejection(pools.use("a", () => Promise.reject(boom)))).toBe(boom);
    expect(
      await rejection(
        pools.use("a", () => {
          throw boom;
        }),
      ),
    ).toBe(boom);
    expect(await pools.use("a", () => 1)).toBe(1);
    expect(opened).toEqual(["a"]);
  });

  it("takes keys of any kind, and knows them as a Map does", async () => {
    const folder = await temporaryFolder();
    const ada = { id: 1 };
    const pools = createPools({ open: (key: { id: number }) => ({ database: `${folder}/${key.id}.db` }) });
    onTestFinished(() => pools.close());
    const pool = await pools.use(ada, (found) => found);
    expect(await pools.use(ada, (found) => found === pool)).toBe(true);
    expect(existsSync(`${folder}/1.db`)).toBe(true);
  });

  it("tells every caller what open() met, and asks it again for the next", async () => {
    const folder = await temporaryFolder();
    const met: unknown[] = [
      new Error("no such tenant"),
      { database: `${folder}/none/a.db` },
      undefined,
      { database: ":memory:" },
      { database: `${folder}/a.db`, more: 1 },
      { database: `${folder}/a.db`, options: { readers: -1 } },
    ];
    const { pools } = await make({
      open: () => {
        const next = met.length > 0 ? met.shift() : { database: `${folder}/a.db` };
        if (next instanceof Error) throw next;
        return next as never;
      },
    });
    const failures: unknown[] = [];
    for (let i = 0; i < 6; i++) {
      const [one, two] = await Promise.all([
        rejection(pools.use("a", nothing)),
        rejection(pools.use("a", nothing)),
      ]);
      expect(two).toBe(one);
      failures.push(one);
      expect(pools.stats()).toMatchObject({ open: 0, opening: 0, waiting: 0 });
    }
    expect(failures.map((error) => (error as Error).name)).toEqual([
      "Error",
      "OperationalError",
      "TypeError",
      "TypeError",
      "TypeError",
      "RangeError",
    ]);
    expect(failures[1]).toBeInstanceOf(OperationalError);
    expect(await pools.use("a", (pool) => pool.get("SELECT 1 AS one"))).toEqual({ one: 1 });
  });

  it("is given up by its signal while it waits, and leaves the database to others", async () => {
    const { pools } = await make({ max: 1 });
    const held = hold(pools, "a");
    await held.entered;
    const controller = new AbortController();
    const waits = rejection(pools.use("b", nothing, { signal: controller.signal }));
    expect(pools.stats().waiting).toBe(1);
    controller.abort("enough");
    expect(await waits).toBe("enough");
    expect(await rejection(pools.use("b", nothing, { signal: AbortSignal.abort("before") }))).toBe("before");
    held.let();
    await held.over;
    expect(await pools.use("b", () => "served")).toBe("served");
  });

  it("refuses what it cannot do, before anything is opened", async () => {
    const { pools, opened } = await make();
    expect(await rejection(pools.use(undefined as never, nothing))).toBeInstanceOf(TypeError);
    expect(await rejection(pools.use(null as never, nothing))).toBeInstanceOf(TypeError);
    expect(await rejection(pools.use("a", "SELECT 1" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pools.use("a", nothing, { timeout: 1 } as never))).toBeInstanceOf(TypeError);
    expect(opened).toEqual([]);
  });
});

describe("max", () => {
  it("closes the database that was used least recently for the next one", async () => {
    const { pools, opened, folder } = await make({ max: 2 });
    for (const key of ["a", "b", "a", "c", "a", "b"]) await pools.use(key, (pool) => pool.exec(CREATE));
    expect(opened).toEqual(["a", "b", "c", "b"]);
    expect(pools.stats()).toMatchObject({ open: 2, opened: 4, evicted: 2 });
    // A closed database has no log.
    expect(existsSync(`${folder}/c.db-wal`)).toBe(false);
    expect(existsSync(`${folder}/a.db-wal`)).toBe(true);
  });

  it("never has more databases open, and each use sees what those before have written", async () => {
    const { pools, folder } = await make({ max: 3 });
    const open = new Map<Pool, string>();
    const busy = new Map<string, number>();
    const counts = new Map<string, number>();
    const keys = Array.from({ length: 160 }, (_, i) => `k${(i * i * 7 + i) % 11}`);
    await Promise.all(
      keys.map(async (key) => {
        await pools.use(key, async (pool) => {
          open.set(pool, key);
          busy.set(key, (busy.get(key) ?? 0) + 1);
          expect(busy.size).toBeLessThanOrEqual(3);
          await pool.exec(CREATE);
          await pool.run("INSERT INTO t VALUES (1)");
          counts.set(key, (counts.get(key) ?? 0) + 1);
          const left = busy.get(key)! - 1;
          if (left === 0) busy.delete(key);
          else busy.set(key, left);
        });
        const { open: now, opening, closing } = pools.stats();
        expect(now + opening + closing).toBeLessThanOrEqual(3);
      }),
    );
    for (const [key, count] of counts) {
      expect(await pools.use(key, (pool) => pool.get("SELECT count(*) AS n FROM t"))).toEqual({ n: count });
      expect(existsSync(`${folder}/${key}.db`)).toBe(true);
    }
    expect(pools.stats()).toMatchObject({ waiting: 0, inUse: 0, open: 3 });
  });

  it("waits for a database in use, in the order in which the uses came", async () => {
    const { pools } = await make({ max: 1 });
    const held = hold(pools, "a");
    await held.entered;
    const order: string[] = [];
    const uses = ["b", "c", "a", "d"].map((key) => pools.use(key, () => void order.push(key)));
    await turn();
    // The use of the open database began at once.
    expect(order).toEqual(["a"]);
    expect(pools.stats()).toMatchObject({ waiting: 3, inUse: 1 });
    held.let();
    await Promise.all(uses);
    expect(order).toEqual(["a", "b", "c", "d"]);
  });

  it("does not keep a use waiting for ever behind databases that are always in use", async () => {
    const { pools } = await make({ max: 1 });
    const served = new AbortController();
    let turns = 0;
    // Two that overlap all the time.
    const busy = async (): Promise<void> => {
      while (!served.signal.aborted) {
        await pools.use("a", async (pool) => {
          turns++;
          await pool.get("SELECT 1");
        });
      }
    };
    const loops = [busy(), busy(), busy()];
    await until(() => turns > 5);
    expect(await pools.use("b", () => served.abort())).toBeUndefined();
    await Promise.all(loops);
    // Later uses of the open database waited for their turn too.
    expect(pools.stats()).toMatchObject({ opened: 3, waiting: 0 });
  });

  it("rejects a use that waits for longer than `acquireTimeout` ms", async () => {
    const { pools } = await make({ max: 1, acquireTimeout: 20 });
    const held = hold(pools, "a");
    await held.entered;
    const error = await rejection(pools.use("b", nothing));
    expect(error).toBeInstanceOf(PoolTimeoutError);
    expect((error as Error).message).toMatch(/within 20 ms/);
    expect(pools.stats().waiting).toBe(0);
    held.let();
    await held.over;
    expect(await pools.use("a", () => 1)).toBe(1);
  });

  it("does not hold up a use inside of another, which might be waited for", async () => {
    const { pools, opened } = await make({ max: 1 });
    const sum = await pools.use("a", async (a) => {
      const [{ n }, m] = await Promise.all([
        a.get<{ n: number }>("SELECT 1 AS n") as Promise<{ n: number }>,
        pools.use("b", async (b) => {
          expect(pools.stats()).toMatchObject({ inUse: 2 });
          return await pools.use("a", async (again) =>
            again === a ? (await b.get<{ n: number }>("SELECT 2 AS n"))!.n : 0,
          );
        }),
      ]);
      return n + m;
    });
    expect(sum).toBe(3);
    await until(() => pools.stats().open === 1 && pools.stats().closing === 0);
    expect(opened).toEqual(["a", "b"]);
  });

  it("loses no call: what a callback has not waited for is done before its database is closed", async () => {
    const { pools } = await make({ max: 1 });
    const calls: Promise<unknown>[] = [];
    await pools.use("a", (pool) => {
      calls.push(pool.exec(CREATE));
      for (let n = 0; n < 50; n++) calls.push(pool.run("INSERT INTO t VALUES (?)", [n]));
    });
    await pools.use("b", nothing);
    await Promise.all(calls);
    expect(await pools.use("a", (pool) => pool.get("SELECT count(*) AS n FROM t"))).toEqual({ n: 50 });
  });

  it("opens a database again that is being closed, when that is done", async () => {
    const { pools, opened } = await make({ max: 1 });
    await pools.use("a", (pool) => pool.exec(CREATE));
    const other = pools.use("b", nothing);
    expect(pools.stats()).toMatchObject({ closing: 1 });
    const again = pools.use("a", (pool) => pool.get("SELECT count(*) AS n FROM t"));
    await other;
    expect(await again).toEqual({ n: 0 });
    expect(opened).toEqual(["a", "b", "a"]);
  });

  it("gives the thread of a database that is closed to the one that is opened", async () => {
    parkThreads({ max: 4, idleTimeout: 60_000 });
    onTestFinished(() => parkThreads({ idleTimeout: 5000 }));
    const { pools } = await make({ max: 8 });
    const uses = (from: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 8 }, (_, i) => pools.use(`k${from + i}`, (pool) => pool.get("SELECT 1"))),
      );
    await uses(0);
    const { started } = threadStats();
    // All eight at once: more than are parked otherwise.
    for (let from = 8; from < 48; from += 8) await uses(from);
    expect(threadStats().started).toBe(started);
    await pools.close();
    expect(threadStats().parked).toBeLessThanOrEqual(4);
  });
});

describe("idleTimeout", () => {
  it("closes a database that nobody has used for so long, and none that is in use", async () => {
    const { pools, opened } = await make({ idleTimeout: 20 });
    const held = hold(pools, "busy");
    await held.entered;
    await pools.use("idle", (pool) => pool.exec(CREATE));
    await until(() => pools.stats().open === 1 && pools.stats().closing === 0);
    expect(pools.stats()).toMatchObject({ inUse: 1, evicted: 1 });
    held.let();
    await held.over;
    await until(() => pools.stats().open + pools.stats().closing === 0);
    expect(await pools.use("idle", (pool) => pool.get("SELECT count(*) AS n FROM t"))).toEqual({ n: 0 });
    expect(opened).toEqual(["busy", "idle", "idle"]);
  });
});

describe("a pool that its user has closed", () => {
  it("is opened again for the next use", async () => {
    const { pools, opened } = await make();
    await pools.use("a", async (pool) => {
      await pool.exec(CREATE);
      await pool.close();
    });
    expect(await pools.use("a", (pool) => pool.get("SELECT count(*) AS n FROM t"))).toEqual({ n: 0 });
    expect(opened).toEqual(["a", "a"]);
  });
});

describe("close()", () => {
  it("waits for uses, also for those that wait, and refuses later ones", async () => {
    const { pools, folder } = await make({ max: 1 });
    const held = hold(pools, "a");
    await held.entered;
    const waits = pools.use("b", (pool) => pool.exec(CREATE));
    let closed = false;
    const closing = pools.close().then(() => {
      closed = true;
    });
    const error = await rejection(pools.use("a", nothing));
    expect(error).toBeInstanceOf(ConnectionClosedError);
    expect(error).toMatchObject({ code: "SQLITE_AIO_CLOSED", message: "Pools closed" });
    expect(closed).toBe(false);
    held.let();
    await waits;
    await closing;
    expect(pools.stats()).toMatchObject({ open: 0, opening: 0, closing: 0, waiting: 0 });
    expect(existsSync(`${folder}/b.db-wal`)).toBe(false);
    await pools.close();
    expect(await rejection(pools.use("b", nothing))).toBeInstanceOf(ConnectionClosedError);
  });

  it("closes by force after `timeout` ms: uses that wait are refused, calls of those that do not end reject", async () => {
    const { pools } = await make({ max: 1 });
    const entered = gate();
    const stuck = pools.use("a", async (pool) => {
      await pool.exec(CREATE);
      entered.open();
      for (;;) await pool.run("INSERT INTO t VALUES (1)");
    });
    const ended = rejection(stuck);
    await entered.opened;
    const waits = rejection(pools.use("b", nothing));
    await pools.close({ timeout: 20 });
    expect(await waits).toBeInstanceOf(ConnectionClosedError);
    expect(await ended).toBeInstanceOf(ConnectionClosedError);
  });

  it("does not wait longer than `timeout` ms for an open() that does not end", async () => {
    const { pools } = await make({ open: () => new Promise(() => {}) });
    const opens = rejection(pools.use("a", nothing));
    await turn();
    await pools.close({ timeout: 20 });
    expect(await opens).toBeInstanceOf(ConnectionClosedError);
    expect(pools.stats().open).toBe(0);
  });

  it("refuses to wait for itself", async () => {
    const { pools } = await make();
    const error = await rejection(pools.use("a", () => pools.close()));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect(await pools.use("a", () => 1)).toBe(1);
    expect(await rejection(pools.close({ timeout: -1 }))).toBeInstanceOf(RangeError);
  });

  it("comes at the end of an `await using` block", async () => {
    const folder = await temporaryFolder();
    let pool!: Pool;
    {
      await using pools = createPools({ open: (key) => ({ database: `${folder}/${key}.db` }) });
      pool = await pools.use("a", (found) => found);
    }
    expect(await rejection(pool.get("SELECT 1"))).toBeInstanceOf(ConnectionClosedError);
  });
});

describe("createPools()", () => {
  it.each([
    [{}, TypeError, /"open" must be a function/],
    [{ open: "app.db" }, TypeError, /"open" must be a function/],
    [{ open: nothing, max: 0 }, RangeError, /"max" must be at least 1/],
    [{ open: nothing, max: 1.5 }, TypeError, /"max" must be an integer/],
    [{ open: nothing, idleTimeout: -1 }, RangeError, /"idleTimeout"/],
    [{ open: nothing, acquireTimeout: "1" }, TypeError, /"acquireTimeout"/],
    [{ open: nothing, readers: 1 }, TypeError, /unknown option "readers"/],
    [null, TypeError, /options must be an object/],
  ])("refuses %j", (options, ErrorClass, message) => {
    const create = (): unknown => createPools(options as never);
    expect(create).toThrow(ErrorClass);
    expect(create).toThrow(message);
  });
});
