import {
  capabilities,
  IntegrityError,
  OperationalError,
  type Pool,
  PoolTimeoutError,
  ProgrammingError,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { openEngine, rejection, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";
import { holds, openPool, poolFunctions, until } from "../support/pool-support.ts";

const INSERT = "INSERT INTO t VALUES (?)";

let path: string;
let pool: Pool;

beforeEach(async () => {
  path = await temporaryPath();
  pool = await openPool({}, path);
  await pool.exec("CREATE TABLE t (a UNIQUE)");
});

const stored = async (): Promise<unknown[]> =>
  (await pool.all<{ a: unknown }>("SELECT a FROM t ORDER BY rowid")).map(({ a }) => a);

async function* later<T>(values: Iterable<T>): AsyncGenerator<T> {
  for (const value of values) {
    await Promise.resolve();
    yield value;
  }
}

function* numbers(count: number, from = 0): Generator<[number]> {
  for (let i = from; i < from + count; i++) yield [i];
}

describe("executemany() of a pool", () => {
  it("takes an array, another iterable or an AsyncIterable, and gives the rows changed", async () => {
    expect(await pool.executemany(INSERT, [[1], [2]])).toEqual({ changes: 2 });
    expect(await pool.executemany(INSERT, new Set([[3], [4]]))).toEqual({ changes: 2 });
    expect(await pool.executemany(INSERT, numbers(3, 5))).toEqual({ changes: 3 });
    expect(await pool.executemany(INSERT, later(numbers(2, 8)))).toEqual({ changes: 2 });
    expect(await pool.executemany("INSERT INTO t VALUES (:a)", [{ a: "x" }])).toEqual({ changes: 1 });
    expect(await pool.executemany("UPDATE t SET a = a + 100 WHERE a = ?", [[1], [2], [77]])).toEqual({
      changes: 2,
    });
    expect(await pool.executemany(INSERT, [])).toEqual({ changes: 0 });
    expect(await pool.executemany("CREATE TABLE IF NOT EXISTS u (b)", [[]])).toEqual({ changes: 0 });
    expect(await stored()).toEqual([101, 102, 3, 4, 5, 6, 7, 8, 9, "x"]);
  });

  it("is one transaction, which other connections see whole or not at all", async () => {
    const other = openEngine(path);
    const count = other.prepare("SELECT count(*) FROM t").pluck();
    const seen = new Set<unknown>();
    function* watched(): Generator<[number]> {
      for (const set of numbers(10_000)) {
        if (set[0] % 1000 === 0) seen.add(count.get());
        yield set;
      }
    }
    expect(await pool.executemany(INSERT, watched())).toEqual({ changes: 10_000 });
    expect([...seen]).toEqual([0]);
    expect(count.get()).toBe(10_000);
  });

  it.each([0, 1, 999, 1000, 2999])(
    "keeps nothing when set %d fails, and the error has its number",
    async (at) => {
      await pool.run("INSERT INTO t VALUES (-1)");
      const sets = Array.from({ length: 3000 }, (_, i) => [i === at ? -1 : i] as [number]);
      for (const given of [sets, sets.values(), later(sets)]) {
        const error = await rejection(pool.executemany(INSERT, given));
        expect(error).toBeInstanceOf(IntegrityError);
        expect(error).toMatchObject({
          code: "SQLITE_CONSTRAINT_UNIQUE",
          sql: INSERT,
          parameterSet: at,
          message: `UNIQUE constraint failed: t.a (parameter set ${at})`,
        });
        expect(await stored()).toEqual([-1]);
      }
      await until(() => pool.stats().pending === 0);
      expect(pool.stats()).toMatchObject({ busy: 0, respawned: 0 });
    },
  );

  it("keeps nothing when a set has wrong values, or when the iterable throws", async () => {
    const wrong = await rejection(pool.executemany(INSERT, [[1], [2], [3, 4], [5]]));
    expect(wrong).toBeInstanceOf(ProgrammingError);
    expect((wrong as ProgrammingError).parameterSet).toBe(2);
    const failure = new Error("from the source");
    function* failing(): Generator<[number]> {
      yield* numbers(1500);
      throw failure;
    }
    expect(await rejection(pool.executemany(INSERT, failing()))).toBe(failure);
    expect(await rejection(pool.executemany(INSERT, later(failing())))).toBe(failure);
    expect(await rejection(pool.executemany("INSERT INTO nowhere VALUES (?)", [[1]]))).toMatchObject({
      message: "no such table: nowhere",
    });
    expect(await stored()).toEqual([]);
  });

  it("refuses what it cannot do at once, and holds nothing", async () => {
    for (const wrong of [null, undefined, 5, {}, "abc"])
      expect(await rejection(pool.executemany(INSERT, wrong as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.executemany(5 as never, []))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.executemany(INSERT, [[1]], { tiemout: 5 } as never))).toBeInstanceOf(
      TypeError,
    );
    const four = pool.executemany as (...args: unknown[]) => Promise<unknown>;
    expect(await rejection(four.call(pool, INSERT, [[1]], {}, 4))).toBeInstanceOf(TypeError);
    for (const sql of ["BEGIN", "PRAGMA cache_size = 5", "ATTACH ':memory:' AS x"])
      expect(await rejection(pool.executemany(sql, [[]]))).toBeInstanceOf(ProgrammingError);
    for (const sql of ["SELECT ?", ""]) {
      expect(await rejection(pool.executemany(sql, [sql === "" ? [] : [1]]))).toMatchObject({
        name: "ProgrammingError",
        message: "executemany() can only execute DML statements.",
      });
    }
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ busy: 0 });
    expect(await stored()).toEqual([]);
  });

  it("takes the values of an array when it is called, also where it has to wait", async () => {
    const connection = await pool.acquire();
    const sets: [number][] = [[1], [2]];
    const memory = new Uint8Array([1, 2]);
    const filling = pool.executemany(INSERT, [...sets, [memory]]);
    const inserting = pool.executemany(INSERT, sets);
    memory.fill(9);
    sets[0]![0] = 50;
    sets.push([51]);
    await connection.close();
    expect(await filling).toEqual({ changes: 3 });
    expect(await rejection(inserting)).toMatchObject({ parameterSet: 0 });
    expect(await stored()).toEqual([1, 2, Buffer.from([1, 2])]);
  });

  it("takes 200,000 sets of an AsyncIterable in bounded chunks", async () => {
    const COUNT = 200_000;
    let taken = 0;
    let ahead = 0;
    async function* sets(): AsyncGenerator<[number]> {
      for (; taken < COUNT; taken++) {
        // Each chunk of 1000 is one call.
        if (taken % 1000 === 0) ahead = Math.max(ahead, taken / 1000 - (pool.stats().executed - before));
        yield [taken];
      }
    }
    const before = pool.stats().executed;
    expect(await pool.executemany(INSERT, sets())).toEqual({ changes: COUNT });
    expect(ahead).toBeLessThanOrEqual(2);
    expect(pool.stats().executed - before).toBeGreaterThanOrEqual(200);
    expect(await pool.get("SELECT count(*) AS n, sum(a) AS s FROM t")).toEqual({
      n: COUNT,
      s: (COUNT * (COUNT - 1)) / 2,
    });
  });

  it("may read the pool's own rows while it writes, but not wait for itself", async () => {
    await pool.executemany(INSERT, numbers(5000));
    await pool.exec("CREATE TABLE copy (a)");
    async function* rows(): AsyncGenerator<[unknown]> {
      for await (const { a } of pool.iterate("SELECT a FROM t")) yield [a];
    }
    expect(await pool.executemany("INSERT INTO copy VALUES (?)", rows() as never)).toEqual({ changes: 5000 });
    async function* writing(): AsyncGenerator<[number]> {
      yield [-1];
      await pool.run("DELETE FROM t");
    }
    const error = await rejection(pool.executemany(INSERT, writing()));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toContain("would wait for itself");
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 5000 });
  });

  it("is given up by its signal and its timeout, and keeps nothing", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<[number]> {
      for (let i = 0; ; i++) {
        if (i === 2500) controller.abort(reason);
        await Promise.resolve();
        yield [i];
      }
    }
    expect(await rejection(pool.executemany(INSERT, endless(), { signal: controller.signal }))).toBe(reason);
    expect(await rejection(pool.executemany(INSERT, [[1]], { signal: controller.signal }))).toBe(reason);
    const waiting = gate();
    async function* stopped(): AsyncGenerator<[number]> {
      yield [1];
      await waiting.opened;
    }
    const error = await rejection(pool.executemany(INSERT, stopped(), { timeout: 20 }));
    waiting.open();
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_INTERRUPT" });
    expect((error as Error).stack).toContain("executemany.test.ts");
    expect(await stored()).toEqual([]);
    // The writer is there for others.
    expect(await pool.executemany(INSERT, [[1]])).toEqual({ changes: 1 });
  });

  it("answers its caller at once when a statement that runs is given up, and keeps nothing", async () => {
    const held = await holds(pool);
    const controller = new AbortController();
    const reason = new Error("enough");
    const filling = pool.executemany("INSERT INTO t VALUES (hold(?))", [[held.name(1)], [held.name(2)]], {
      signal: controller.signal,
    });
    await held.entered(1);
    controller.abort(reason);
    expect(await rejection(filling)).toBe(reason);
    await held.release(1);
    await held.release(2);
    expect(await stored()).toEqual([]);
    if (capabilities.interrupt) expect(pool.stats().respawned).toBe(0);
  });

  it("waits in line like others, and no longer than acquireTimeout", async () => {
    const hasty = await openPool({ acquireTimeout: 20 }, path);
    const connection = await hasty.acquire();
    expect(await rejection(hasty.executemany(INSERT, [[1]]))).toBeInstanceOf(PoolTimeoutError);
    await connection.close();
    expect(await hasty.executemany(INSERT, [[1]])).toEqual({ changes: 1 });
  });

  it("keeps nothing of a call whose thread dies, and the next one finds another", async () => {
    await pool.createFunction("exit_if", 1, poolFunctions, { export: "exitIf" });
    const sets = Array.from({ length: 2500 }, (_, i) => [i === 2000 ? 1 : 0] as [number]);
    const error = await rejection(pool.executemany("INSERT INTO t SELECT exit_if(?) + random()", sets));
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect(await stored()).toEqual([]);
    expect(await pool.executemany(INSERT, [[1]])).toEqual({ changes: 1 });
    await until(() => pool.stats().pending === 0);
    expect(pool.stats()).toMatchObject({ respawned: 1, busy: 0 });
  });

  it("is finished by close(), and refused after that", async () => {
    const filling = pool.executemany(INSERT, numbers(5000));
    const closing = pool.close();
    expect(await filling).toEqual({ changes: 5000 });
    await closing;
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(5000);
    expect(await rejection(pool.executemany(INSERT, [[1]]))).toMatchObject({ name: "ConnectionClosedError" });
  });

  it("works in a plain pool and in memory", async () => {
    for (const one of [await openPool({ readers: 0, writers: 2 }), await openPool({}, ":memory:")]) {
      await one.exec("CREATE TABLE t (a UNIQUE)");
      expect(await one.executemany(INSERT, numbers(2500))).toEqual({ changes: 2500 });
      expect(await rejection(one.executemany(INSERT, numbers(2500, 2499)))).toMatchObject({
        parameterSet: 0,
      });
      expect(await one.get("SELECT count(*) AS n FROM t")).toEqual({ n: 2500 });
    }
  });
});

describe("executemany() inside transaction()", () => {
  it("is part of it: committed and rolled back with it", async () => {
    const changes = await pool.transaction(async (tx) => {
      const first = await tx.executemany(INSERT, numbers(1500));
      expect(await tx.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1500 });
      const second = await tx.executemany("DELETE FROM t WHERE a = ?", later([[0], [1], [9999]]));
      return [first, second];
    });
    expect(changes).toEqual([{ changes: 1500 }, { changes: 2 }]);
    const failure = new Error("undone");
    const undone = pool.transaction(async (tx) => {
      await tx.executemany(INSERT, numbers(10, 2000));
      throw failure;
    });
    expect(await rejection(undone)).toBe(failure);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 1498 });
  });

  it("says which set failed; what came before it stays unless that is rolled back", async () => {
    await pool.transaction(async (tx) => {
      const error = await rejection(tx.executemany(INSERT, [[1], [2], [1]]));
      expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", parameterSet: 2 });
      const undone = tx.transaction((inner) => inner.executemany(INSERT, [[3], [3]]));
      expect(await rejection(undone)).toMatchObject({ parameterSet: 1 });
    });
    expect(await stored()).toEqual([1, 2]);
  });

  it("refuses what is no iterable, and calls when the transaction is over", async () => {
    let kept: Parameters<Parameters<Pool["transaction"]>[0]>[0] | undefined;
    await pool.transaction(async (tx) => {
      kept = tx;
      expect(await rejection(tx.executemany(INSERT, 5 as never))).toBeInstanceOf(TypeError);
    });
    expect(await rejection(kept!.executemany(INSERT, [[1]]))).toMatchObject({
      message: "the transaction is over",
    });
    expect(await stored()).toEqual([]);
  });
});
