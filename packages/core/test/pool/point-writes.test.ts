import { connect, type Pool } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Engine, open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool, outcomes } from "../support/pool-support.ts";
import { random } from "../support/random.ts";

type Value = null | number | bigint | string | Buffer;

const SCHEMA = `CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, a, b TEXT, c REAL CHECK (c IS NOT 7));
  CREATE TABLE log (what, id);
  CREATE TRIGGER changed AFTER UPDATE ON t BEGIN INSERT INTO log VALUES ('update', new.id); END;
  CREATE TRIGGER never BEFORE INSERT ON t WHEN new.a = 'never' BEGIN SELECT RAISE(ABORT, 'never, it says'); END;`;

const TEXTS = [
  "INSERT INTO t (u, a, b, c) VALUES (?, ?, ?, ?)",
  "INSERT OR IGNORE INTO t (u, a, b, c) VALUES (?, ?, ?, ?)",
  "REPLACE INTO t (u, a, b, c) VALUES (?, ?, ?, ?)",
  "UPDATE t SET u = ?, a = ?, b = ?, c = ? WHERE u > 50",
  "DELETE FROM t WHERE u = ? AND a IS NOT ? AND b IS NOT ? AND c IS NOT ?",
  "INSERT OR FAIL INTO t (u, a, b, c) SELECT ? + value, ?, ?, ? FROM json_each('[0,1,2]')",
];

/** The value as the driver binds it. */
const bound = (value: Value): Value =>
  typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : value;

const contents = (engine: Engine): unknown[] =>
  ["t", "log"].map((table) =>
    engine.prepare(`SELECT * FROM ${table} ORDER BY rowid`).raw().safeIntegers().all(),
  );

interface Write {
  readonly sql: string;
  readonly values: Value[];
}

function writes(count: number, seed: number): Write[] {
  const below = random(seed);
  const value = (): Value =>
    [
      null,
      below(100),
      -0,
      below(1000) / 7,
      -1e300,
      2n ** 62n,
      2 ** 53,
      "",
      "Latin: é",
      "日本😀",
      "with a\0NUL",
      "x".repeat(below(3000)),
      Buffer.alloc(below(50), 9),
      Buffer.alloc(0),
      "never",
      7,
    ][below(16)]!;
  return Array.from({ length: count }, () => ({
    sql: TEXTS[below(TEXTS.length)]!,
    values: [below(60), value(), value(), value()],
  }));
}

/** The engine's results for each of them, one after the other. */
function oneByOne(engine: Engine, all: readonly Write[]): unknown[] {
  return all.map(({ sql, values }) => {
    try {
      const { changes, lastInsertRowid } = engine
        .prepare(sql)
        .safeIntegers()
        .run(...values.map(bound));
      return { changes, lastInsertRowid: Number(lastInsertRowid) };
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      return { code, message };
    }
  });
}

const told = (results: readonly unknown[]): unknown[] =>
  results.map((result) => {
    if (!(result instanceof Error)) return result;
    const { code, message } = result as Error & { code: string };
    return { code, message };
  });

/** Small writes of many callers, which wait behind each other in the thread. */
describe("writes that are made together", () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`are answered, and leave, what each alone would: ${seed}`, async () => {
      const path = await temporaryPath();
      const pool = await openPool({ readers: 0, writers: 1 }, path);
      await pool.exec(SCHEMA);
      const engine = openEngine();
      engine.exec(SCHEMA);
      for (let round = 0; round < 4; round++) {
        const all = writes(150, seed * 100 + round);
        const results = await outcomes(all.map(({ sql, values }) => pool.run(sql, values)));
        expect(told(results)).toEqual(oneByOne(engine, all));
        expect(contents(openEngine(path))).toEqual(contents(engine));
      }
    });

    it(`and in a transaction, with reads between them: ${seed}`, async () => {
      const path = await temporaryPath();
      const pool = await openPool({ readers: 0, writers: 1 }, path);
      await pool.exec(SCHEMA);
      const engine = openEngine();
      engine.exec(SCHEMA);
      const count = "SELECT count(*) AS n, total(u) AS u, max(b) AS b FROM t WHERE u < ?";
      for (let round = 0; round < 3; round++) {
        const all = writes(100, seed * 100 + round);
        await pool.transaction(async (tx) => {
          engine.exec("BEGIN");
          const calls = all.flatMap(({ sql, values }, i) => [tx.run(sql, values), tx.get(count, [i])]);
          const results = await outcomes(calls);
          const expected = all.flatMap((write, i) =>
            oneByOne(engine, [write]).concat(engine.prepare(count).get(BigInt(i))),
          );
          expect(told(results)).toEqual(expected);
          engine.exec("COMMIT");
        });
        expect(contents(openEngine(path))).toEqual(contents(engine));
      }
    });
  }

  it("give rowids of the kind that the connection reads integers in", async () => {
    const big = 2n ** 60n;
    for (const [integers, large, small] of [
      ["auto", big, 8],
      ["bigint", big, 8n],
      ["number", Number(big), 8],
    ] as const) {
      const pool = await openPool({ readers: 0, writers: 1, integers });
      await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)");
      const insert = async (ids: readonly (number | bigint)[]): Promise<unknown[]> => {
        const results = await Promise.all(ids.map((id) => pool.run("REPLACE INTO t VALUES (?)", [id])));
        return results.map(({ lastInsertRowid }) => lastInsertRowid);
      };
      for (let i = 0; i < 3; i++) expect(await insert([big, 8])).toStrictEqual([large, small]);
      expect(await insert([8, big, 8, big])).toStrictEqual([small, large, small, large]);
    }
  });

  it("of which one keeps its first rows and fails have written them once", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a, u UNIQUE)");
    const sql = "INSERT OR FAIL INTO t SELECT value, CASE value WHEN 3 THEN 'same' END FROM json_each(?)";
    for (let i = 0; i < 3; i++) await Promise.all([pool.run(sql, ["[0]"]), pool.run(sql, ["[0]"])]);
    await pool.run("DELETE FROM t");
    await pool.run(sql, ["[3]"]);
    const results = await outcomes(["[1]", "[2,3,4]", "[5]"].map((json) => pool.run(sql, [json])));
    expect(results).toMatchObject([{ changes: 1 }, { code: "SQLITE_CONSTRAINT_UNIQUE" }, { changes: 1 }]);
    const rows = await pool.all<{ a: number }>("SELECT a FROM t ORDER BY rowid");
    expect(rows.map(({ a }) => a)).toEqual([3, 1, 2, 5]);
  });

  it("behind one that has rolled their transaction back are refused, and nothing is kept", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (u UNIQUE)");
    const insert = "INSERT INTO t VALUES (?)";
    const rollback = "INSERT OR ROLLBACK INTO t VALUES (?)";
    for (let i = 0; i < 3; i++) await Promise.all([pool.run(insert, [i]), pool.run(rollback, [-1 - i])]);
    const ended = pool.transaction(async (tx) => {
      const results = await outcomes([
        tx.run(insert, [10]),
        tx.run(rollback, [11]),
        tx.run(rollback, [1]),
        tx.run(insert, [12]),
        tx.get("SELECT count(*) FROM t"),
      ]);
      expect(results).toMatchObject([
        { changes: 1 },
        { changes: 1 },
        { code: "SQLITE_CONSTRAINT_UNIQUE" },
        { code: "SQLITE_ABORT_ROLLBACK" },
        { code: "SQLITE_ABORT_ROLLBACK" },
      ]);
    });
    await expect(ended).rejects.toMatchObject({ code: "SQLITE_ABORT_ROLLBACK" });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 6 });
  });

  it("do not let one that would end their transaction in between", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const insert = "INSERT INTO t VALUES (?)";
    for (const end of ["COMMIT", "ROLLBACK"]) {
      const own = new Error("rolled back by this");
      const ended = pool.transaction(async (tx) => {
        // Often enough that the pool knows that they are quick.
        for (let i = 0; i < 50; i++) {
          const results = await outcomes([
            tx.run(insert, [i]),
            tx.get(end),
            tx.run(insert, [i]),
            tx.get(end),
          ]);
          const refused = { message: expect.stringContaining("ends when its callback does") as string };
          expect(results).toMatchObject([{ changes: 1 }, refused, { changes: 1 }, refused]);
        }
        throw own;
      });
      await expect(ended).rejects.toBe(own);
    }
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 0 });
  });

  it("that are given up are not done, or done and answered, and the others are kept", async () => {
    const pool = await openPool({ readers: 0, writers: 1 });
    await pool.exec("CREATE TABLE t (a)");
    const insert = "INSERT INTO t VALUES (?)";
    for (let i = 0; i < 3; i++) await Promise.all([pool.run(insert, [-1]), pool.run(insert, [-1])]);
    await pool.run("DELETE FROM t");
    const reason = new Error("not wanted");
    const kept: number[] = [];
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const calls = Array.from({ length: 60 }, async (_, i) => {
        const value = round * 100 + i;
        const signal = i % 3 === 0 ? { signal: controller.signal } : {};
        const result: unknown = await pool.run(insert, [value], signal).catch((error: unknown) => error);
        if (result === reason) expect(i % 3).toBe(0);
        else {
          expect(result).toMatchObject({ changes: 1 });
          kept.push(value);
        }
      });
      await Promise.resolve();
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(reason);
      await Promise.all(calls);
    }
    const rows = await pool.all<{ a: number }>("SELECT a FROM t ORDER BY a");
    expect(rows.map(({ a }) => a)).toEqual(kept.toSorted((a, b) => a - b));
  });

  it("of a connection go on while its functions are defined and while a cursor is half read", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (a); CREATE TABLE s (a)");
    await db.executemany(
      "INSERT INTO s VALUES (?)",
      Array.from({ length: 500 }, (_, i) => [i]),
    );
    const insert = async (from: number): Promise<unknown[]> => {
      const cursors = await Promise.all(
        [0, 1, 2, 3].map((i) => db.execute("INSERT INTO t VALUES (?)", [from + i])),
      );
      return cursors.map(({ lastrowid, rowcount }) => [lastrowid, rowcount]);
    };
    expect(await insert(0)).toEqual([1, 2, 3, 4].map((id) => [id, 1]));
    expect(await insert(4)).toEqual([5, 6, 7, 8].map((id) => [id, 1]));
    const cursor = await db.execute("SELECT a FROM s");
    expect(await cursor.fetchone()).toEqual([0]);
    expect(await insert(8)).toEqual([9, 10, 11, 12].map((id) => [id, 1]));
    expect(await cursor.fetchall()).toHaveLength(499);
    await db.createFunction("never", 1, () => {
      throw new Error("never");
    });
    expect(await insert(12)).toEqual([13, 14, 15, 16].map((id) => [id, 1]));
    expect(await rejection(db.execute("INSERT INTO t VALUES (never(1))"))).toMatchObject({
      cause: { message: "never" },
    });
    expect(await insert(16)).toEqual([17, 18, 19, 20].map((id) => [id, 1]));
    expect(db.totalChanges).toBe(520);
  });

  it("wait for the lock of another connection, and fail of it alone", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
    const db = await connect(path, { timeout: 50 });
    onTestFinished(() => db.close());
    for (let i = 0; i < 3; i++) await db.execute("INSERT INTO t VALUES (?)", [i]);
    await db.commit();
    other.exec("BEGIN IMMEDIATE");
    await db.execute("SAVEPOINT s");
    const refused = await outcomes([1, 2].map((i) => db.execute("INSERT INTO t VALUES (?)", [i])));
    expect(refused).toMatchObject([{ code: "SQLITE_BUSY" }, { code: "SQLITE_BUSY" }]);
    other.exec("COMMIT");
    expect(await outcomes([3, 4].map((i) => db.execute("INSERT INTO t VALUES (?)", [i])))).toMatchObject([
      { rowcount: 1 },
      { rowcount: 1 },
    ]);
    await db.commit();
    expect(other.prepare("SELECT a FROM t ORDER BY rowid").pluck().all()).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a read by itself", () => {
  const READ = "SELECT a FROM t WHERE id = ?";
  const learn = async (pool: Pool): Promise<void> => {
    for (let i = 0; i < 3; i++) await pool.get(READ, [i]);
  };

  it("sees what was committed since the one before it, under the names that its columns have now", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec(
      "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1)",
    );
    const pool = await openPool({ readers: 1 }, path);
    await learn(pool);
    for (let i = 0; i < 5; i++) {
      other.prepare("UPDATE t SET a = ?").run(i);
      expect(await pool.get(READ, [1])).toEqual({ a: i });
    }
    const all = "SELECT * FROM t";
    for (let i = 0; i < 3; i++) expect(await pool.all(all)).toEqual([{ id: 1, a: 4 }]);
    other.exec("ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ADD COLUMN c DEFAULT 5");
    for (let i = 0; i < 3; i++) expect(await pool.all(all)).toEqual([{ id: 1, b: 4, c: 5 }]);
    for (let i = 0; i < 2; i++) await expect(pool.get(READ, [1])).rejects.toThrow("no such column: a");
  });

  it("holds no lock when it is answered", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2)");
    const db = await open(path);
    for (let i = 0; i < 5; i++) {
      const cursor = await db.execute("SELECT a FROM t ORDER BY id");
      expect(await cursor.fetchone()).toEqual([1]);
      expect(await cursor.fetchall()).toEqual([[2]]);
      other.exec("BEGIN EXCLUSIVE; COMMIT");
    }
  });
});
