import { type Connection, IntegrityError, OperationalError, ProgrammingError } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

const INSERT = "INSERT INTO t VALUES (?)";

async function table(columns = "a UNIQUE"): Promise<Connection> {
  const db = await open();
  await db.execute(`CREATE TABLE t (${columns})`);
  return db;
}

const all = async (db: Connection): Promise<unknown[]> =>
  (await db.executeFetchall<[unknown]>("SELECT a FROM t ORDER BY rowid")).map(([a]) => a);

async function* later<T>(values: Iterable<T>): AsyncGenerator<T> {
  for (const value of values) {
    await Promise.resolve();
    yield value;
  }
}

describe("the parameter sets", () => {
  it("may be an array, another iterable, a generator or their asynchronous kin", async () => {
    const sets = [[1], [2], [3]] as [number][];
    const sources = [
      () => sets,
      () => new Set(sets),
      () => sets.values(),
      () => later(sets),
      () => ({ [Symbol.asyncIterator]: () => later(sets) }),
      () =>
        new ReadableStream({
          start(controller): void {
            for (const set of sets) controller.enqueue(set);
            controller.close();
          },
        }),
    ];
    for (const source of sources) {
      const db = await table();
      const cursor = await db.executemany(INSERT, source() as Iterable<[number]>);
      expect(cursor.rowcount).toBe(3);
      expect(await all(db)).toEqual([1, 2, 3]);
    }
  });

  it("may be objects for named parameters", async () => {
    const db = await table();
    await db.executemany("INSERT INTO t VALUES (:a)", [{ a: 1 }, { a: "x" }]);
    expect(await all(db)).toEqual([1, "x"]);
  });

  it("may have no parameters, and there may be none of them", async () => {
    const db = await table("a");
    const cursor = await db.executemany("INSERT INTO t VALUES (7)", [[], [], []]);
    expect(cursor.rowcount).toBe(3);
    await cursor.executemany(INSERT, []);
    expect([cursor.rowcount, db.totalChanges]).toEqual([0, 3]);
    await cursor.executemany("INSERT INTO t VALUES (8)", later([]));
    expect([cursor.rowcount, await all(db)]).toEqual([0, [7, 7, 7]]);
    const error = await rejection(db.executemany("INSERT INTO nowhere VALUES (?)", []));
    expect((error as Error).message).toBe("no such table: nowhere");
  });

  it("may not be something else", async () => {
    const db = await table();
    for (const wrong of [null, undefined, 5, {}, "abc"]) {
      expect(await rejection(db.executemany(INSERT, wrong as never))).toBeInstanceOf(TypeError);
    }
    expect(await all(db)).toEqual([]);
  });

  it("may mix types within a column, and each value keeps its own", async () => {
    const db = await table("a, b");
    const values = [
      1,
      1.5,
      "text",
      null,
      true,
      2n ** 60n,
      Buffer.from("blob"),
      "",
      -0,
      undefined,
      Number.NaN,
    ];
    const sets = Array.from({ length: 1100 }, (_, i) => [values[i % values.length], i] as [never, number]);
    await db.executemany("INSERT INTO t VALUES (?, ?)", sets);
    const rows = await db.executeFetchall("SELECT a, typeof(a) FROM t ORDER BY b");
    const stored = [
      [1, "integer"],
      [1.5, "real"],
      ["text", "text"],
      [null, "null"],
      [1, "integer"],
      [2n ** 60n, "integer"],
      [Buffer.from("blob"), "blob"],
      ["", "text"],
      [-0, "real"],
      [null, "null"],
      [null, "null"],
    ];
    expect(rows).toEqual(sets.map((_, i) => stored[i % stored.length]));
  });

  it("may be blobs, small and large ones, which are copied when they are taken", async () => {
    const db = await table("a");
    const memory = new Uint8Array(20_000);
    function* sets(): Generator<[Uint8Array]> {
      for (let i = 0; i < 100; i++) {
        memory.fill(i);
        // The same memory each time, all of it or some of it.
        yield [i % 2 === 0 ? memory : memory.subarray(0, 10)];
      }
    }
    await db.executemany(INSERT, sets());
    const blobs = (await all(db)) as Buffer[];
    expect(blobs).toHaveLength(100);
    for (const [i, blob] of blobs.entries()) {
      expect(blob.equals(Buffer.alloc(i % 2 === 0 ? 20_000 : 10, i))).toBe(true);
    }
    expect(memory.byteLength).toBe(20_000);
  });
});

describe("the statement", () => {
  it("may be any that writes; its counts add up", async () => {
    const db = await table("a");
    await db.executemany(INSERT, [[1], [1], [2]]);
    const cursor = await db.executemany("UPDATE t SET a = a + 10 WHERE a = ?", [[1], [2], [3]]);
    expect(cursor.rowcount).toBe(3);
    await cursor.executemany("DELETE FROM t WHERE a = ?", [[11], [12]]);
    expect([cursor.rowcount, await all(db)]).toEqual([3, []]);
    await cursor.executemany("CREATE TABLE IF NOT EXISTS u (a)", [[], []]);
    expect(cursor.rowcount).toBe(-1);
    await cursor.executemany("WITH n(i) AS (SELECT ?) INSERT INTO u SELECT i FROM n", [[1], [2]]);
    expect(await db.executeFetchall("SELECT a FROM u")).toEqual([[1], [2]]);
  });

  it("may have RETURNING, whose rows nobody gets", async () => {
    const db = await table("a");
    const cursor = await db.executemany("INSERT INTO t VALUES (?1), (?1 + 1) RETURNING a", [[1], [10]]);
    expect(await all(db)).toEqual([1, 2, 10, 11]);
    expect([await cursor.fetchall(), cursor.rowcount]).toEqual([[], 4]);
  });

  it.each(["SELECT ?", "VALUES (?)", "SELECT 1", "BEGIN", "", "-- nothing"])(
    "may not be %j, which writes nothing",
    async (sql) => {
      const db = await table();
      const error = await rejection(db.executemany(sql, [sql.includes("?") ? [1] : []]));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toBe("executemany() can only execute DML statements.");
      expect(db.inTransaction).toBe(false);
    },
  );

  it("that changes a table is seen by what reads it after that", async () => {
    const db = await table();
    await db.executeFetchall("SELECT * FROM t");
    await db.executemany("ALTER TABLE t RENAME COLUMN a TO b", [[]]);
    const cursor = await db.execute("SELECT * FROM t");
    expect(cursor.description?.[0]?.[0]).toBe("b");
  });
});

describe("long inputs", () => {
  it("of 200,000 sets from a generator are taken in bounded chunks", async () => {
    const db = await table("a, b");
    const COUNT = 200_000;
    let taken = 0;
    let ahead = 0;
    function* sets(): Generator<[number, string]> {
      for (; taken < COUNT; taken++) {
        // totalChanges is as of the latest answer: everything beyond it is in memory somewhere.
        ahead = Math.max(ahead, taken - db.totalChanges);
        yield [taken, `row ${taken}`];
      }
    }
    const cursor = await db.executemany("INSERT INTO t VALUES (?, ?)", sets());
    expect(cursor.rowcount).toBe(COUNT);
    expect(ahead).toBeGreaterThan(500);
    expect(ahead).toBeLessThanOrEqual(4000);
    expect(await db.executeFetchall("SELECT count(*), sum(a), max(b) FROM t")).toEqual([
      [COUNT, (COUNT * (COUNT - 1)) / 2, "row 99999"],
    ]);
  });

  it("of large values are bounded by bytes, from an AsyncIterable too", async () => {
    const db = await table("a");
    let taken = 0;
    let ahead = 0;
    async function* sets(): AsyncGenerator<[Uint8Array]> {
      for (; taken < 200; taken++) {
        ahead = Math.max(ahead, taken - db.totalChanges);
        yield [new Uint8Array(100_000).fill(taken)];
      }
    }
    await db.executemany(INSERT, sets());
    expect(ahead).toBeLessThanOrEqual(10);
    expect(await db.executeFetchall("SELECT count(*), sum(length(a)) FROM t")).toEqual([[200, 20_000_000]]);
  });

  it("leave the event loop its turns", async () => {
    const db = await table("a");
    let turns = 0;
    const turn = (): void => {
      turns++;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    await db.executemany(
      INSERT,
      Array.from({ length: 50_000 }, (_, i) => [i] as [number]),
    );
    clearImmediate(immediate);
    expect(turns).toBeGreaterThan(10);
  });

  it("that have no end stop at an error, and are told so", async () => {
    const db = await table();
    let returned = 0;
    function* endless(): Generator<[number]> {
      try {
        for (let i = 0; ; i++) yield [i % 5000];
      } finally {
        returned++;
      }
    }
    const error = await rejection(db.executemany(INSERT, endless()));
    expect(error).toBeInstanceOf(IntegrityError);
    expect((error as IntegrityError).parameterSet).toBe(5000);
    expect(returned).toBe(1);
    expect(await rejection(db.executemany(INSERT, later(endless())))).toBeInstanceOf(IntegrityError);
    expect(returned).toBe(2);
  });
});

describe("an error", () => {
  it.each([0, 1, 999, 1000, 1001, 2999])("says that set %d failed, and those before it count", async (at) => {
    for (const wrap of [(sets: [number][]) => sets, later]) {
      const db = await table();
      const sets = Array.from({ length: 4000 }, (_, i) => [i === at ? -1 : i] as [number]);
      await db.execute("INSERT INTO t VALUES (-1)");
      await db.commit();
      const error = await rejection(db.executemany(INSERT, wrap(sets) as Iterable<[number]>));
      expect(error).toBeInstanceOf(IntegrityError);
      expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", parameterSet: at, sql: INSERT });
      // As in CPython, the transaction stays open with the earlier sets.
      expect(db.inTransaction).toBe(true);
      expect(await db.executeFetchall("SELECT count(*) FROM t WHERE a >= 0")).toEqual([[at]]);
      await db.rollback();
      expect(await all(db)).toEqual([-1]);
    }
  });

  it("in a set's parameters is told when its turn comes, and those before it count", async () => {
    for (const at of [0, 3, 1500]) {
      const db = await table();
      const sets = Array.from({ length: 2000 }, (_, i) => (i === at ? [1, 2] : [i]));
      const error = await rejection(db.executemany(INSERT, sets));
      expect(error).toBeInstanceOf(ProgrammingError);
      expect((error as ProgrammingError).parameterSet).toBe(at);
      expect(await all(db)).toHaveLength(at);
    }
    const db = await table();
    expect(await rejection(db.executemany(INSERT, [[1], [2n ** 70n]]))).toBeInstanceOf(RangeError);
    expect(await all(db)).toEqual([1]);
  });

  it("thrown by the iterable is passed on, and what it gave before counts", async () => {
    const failure = new Error("from the source");
    function* failing(): Generator<[number]> {
      for (let i = 0; i < 1200; i++) yield [i];
      throw failure;
    }
    const db = await table();
    expect(await rejection(db.executemany(INSERT, failing()))).toBe(failure);
    expect(await all(db)).toHaveLength(1200);
    const other = await table();
    expect(await rejection(other.executemany(INSERT, later(failing())))).toBe(failure);
    expect(await all(other)).toHaveLength(1200);
  });

  it("leaves the connection to go on, and the calls that waited too", async () => {
    const db = await table();
    const settled = await Promise.allSettled([
      db.executemany(INSERT, [[1], [1]]),
      db.executeFetchall("SELECT count(*) FROM t"),
      db.executemany("INSERT INTO nowhere VALUES (?)", [[1]]),
      db.executeFetchall("SELECT 2"),
    ]);
    expect(
      settled.map((result) => (result.status === "fulfilled" ? result.value : result.reason.message)),
    ).toEqual(["UNIQUE constraint failed: t.a (parameter set 1)", [[1]], "no such table: nowhere", [[2]]]);
  });

  it("of a lock that is held between two sets is waited for", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec("CREATE TABLE t (a)");
    const db = await open(path, {
      isolationLevel: null,
      timeout: 60_000,
      pragmas: { synchronous: "OFF" },
      setup: tellsOfLocks,
    });
    async function* sets(): AsyncGenerator<[unknown]> {
      yield [1];
      // Large enough to end a batch.
      yield [new Uint8Array(300_000)];
      await db.executeFetchall("SELECT 1");
      other.exec("BEGIN IMMEDIATE; INSERT INTO t VALUES ('other')");
      void lockMet(path, 3).then(() => other.exec("COMMIT"));
      yield [3];
      yield [4];
    }
    await db.executemany(INSERT, sets() as AsyncIterable<[number]>);
    expect(other.prepare("SELECT a FROM t WHERE typeof(a) <> 'blob'").pluck().all()).toEqual([
      1,
      "other",
      3,
      4,
    ]);
    const hasty = await open(path, { timeout: 0 });
    other.exec("BEGIN IMMEDIATE");
    const error = await rejection(hasty.executemany(INSERT, [[1]]));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_BUSY", parameterSet: 0 });
  });
});

describe("others on the connection", () => {
  it("wait for an executemany over an Iterable, none of whose sets they come between", async () => {
    const db = await table("a");
    const many = db.executemany(
      INSERT,
      Array.from({ length: 5000 }, (_, i) => [i] as [number]),
    );
    const count = db.executeFetchall("SELECT count(*) FROM t");
    const second = db.executemany(INSERT, [[-1]]);
    const after = db.executeFetchall("SELECT count(*) FROM t");
    expect([await count, await after]).toEqual([[[5000]], [[5001]]]);
    await Promise.all([many, second]);
  });

  it("are answered while an AsyncIterable waits for its next set", async () => {
    const db = await table("a");
    let go!: () => void;
    const gate = new Promise<void>((resolve) => (go = resolve));
    async function* sets(): AsyncGenerator<[number]> {
      yield [1];
      await gate;
      yield [2];
    }
    const many = db.executemany(INSERT, sets());
    expect(await db.executeFetchall("SELECT 'meanwhile'")).toEqual([["meanwhile"]]);
    go();
    await many;
    expect(await all(db)).toEqual([1, 2]);
  });

  it("include an AsyncIterable that reads from the same connection", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    await db.executescript("CREATE TABLE source (a); CREATE TABLE t (a)");
    await db.executemany(
      "INSERT INTO source VALUES (?)",
      Array.from({ length: 3000 }, (_, i) => [i] as [number]),
    );
    const cursor = await db.executemany(INSERT, db.execute("SELECT a * 2 FROM source"));
    expect(cursor.rowcount).toBe(3000);
    expect(await db.executeFetchall("SELECT count(*), sum(a) FROM t")).toEqual([[3000, 2999 * 3000]]);
  });

  it("may be a transaction, whose executemany nobody else comes between", async () => {
    const db = await table("a");
    const outside = db.transaction(async (tx) => {
      await tx.executemany(INSERT, later([[1], [2], [3]]));
      await tx.executemany(INSERT, [[4], [5]]);
      return await tx.executeFetchall("SELECT count(*) FROM t");
    });
    const other = db.execute("INSERT INTO t VALUES (6)");
    expect(await outside).toEqual([[5]]);
    await other;
    expect(await all(db)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
