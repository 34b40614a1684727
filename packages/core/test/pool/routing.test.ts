import { type Pool, ProgrammingError } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { rejection, temporaryPath } from "../support/database.ts";
import { holds, openPool, outcomes } from "../support/pool-support.ts";

let pool: Pool;

beforeEach(async () => {
  pool = await openPool({ readers: 2 });
  await pool.exec(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('x'), ('y'); CREATE INDEX i ON t (a)",
  );
});

/** How many calls the writer and the readers have answered meanwhile. */
async function whoRan<T>(work: () => Promise<T>): Promise<{ result: T; writer: number; readers: number }> {
  const executed = (role: string): number =>
    pool.stats().threads.reduce((sum, thread) => sum + (thread.role === role ? thread.executed : 0), 0);
  const before = { writer: executed("writer"), readers: executed("reader") };
  const result = await work();
  return {
    result,
    writer: executed("writer") - before.writer,
    readers: executed("reader") - before.readers,
  };
}

describe("run, get, all", () => {
  it("give counts, the first row or undefined, and all rows as objects", async () => {
    expect(await pool.run("INSERT INTO t (a) VALUES (?), (?)", [1, 2])).toEqual({
      changes: 2,
      lastInsertRowid: 4,
    });
    expect(await pool.run("UPDATE t SET a = 0 WHERE id > :id", { id: 2 })).toMatchObject({ changes: 2 });
    expect(await pool.run("CREATE TABLE u (a)")).toMatchObject({ changes: 0 });
    expect(await pool.get("SELECT a FROM t ORDER BY id")).toEqual({ a: "x" });
    expect(await pool.get("SELECT a FROM t WHERE id = ?", [99])).toBeUndefined();
    expect(await pool.all("SELECT id, a FROM t WHERE a = $a", { a: 0 })).toEqual([
      { id: 3, a: 0 },
      { id: 4, a: 0 },
    ]);
    expect(await pool.all("SELECT id FROM t WHERE false")).toEqual([]);
    expect(await pool.get("CREATE TABLE v (a)")).toBeUndefined();
    expect(await pool.all("")).toEqual([]);
  });

  it("run a SELECT where run() is asked to, and give no rows of it", async () => {
    expect(await pool.run("SELECT a FROM t")).toMatchObject({ changes: 0 });
  });

  it("reject wrong SQL and wrong parameters, with the line of the caller", async () => {
    for (const call of [
      () => pool.run("INSERT INTO t (a) VALUES (?)", []),
      () => pool.get("SELECT ?", [1, 2]),
      () => pool.all("SELECT :a", { b: 1 }),
    ]) {
      expect(await rejection(call), String(call)).toBeInstanceOf(ProgrammingError);
    }
    const error = (await rejection(pool.all("SELECT nothing FROM nowhere"))) as Error;
    expect(error).toMatchObject({ code: "SQLITE_ERROR", sql: "SELECT nothing FROM nowhere" });
    expect(error.stack).toContain("routing.test.ts");
    expect(await rejection(pool.get(7 as never))).toBeInstanceOf(TypeError);
    expect(await rejection(pool.get("SELECT 1\0"))).toBeInstanceOf(ProgrammingError);
  });

  it("keep the parameters of a call that waits as they were", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const values = [bytes, "before"];
    await using lease = await pool.acquire();
    const waiting = pool.run("INSERT INTO t (id, a) VALUES (50, ?), (51, ?)", values);
    bytes[0] = 9;
    values[1] = "after";
    await lease.close();
    await waiting;
    expect(await pool.all("SELECT a FROM t WHERE id >= 50")).toEqual([
      { a: Buffer.from([1, 2, 3]) },
      { a: "before" },
    ]);
  });
});

describe("a statement that writes finds the writer by itself", () => {
  it.each([
    ["INSERT ... RETURNING", "INSERT INTO t (a) VALUES ('z') RETURNING id", [{ id: 3 }]],
    ["UPDATE ... RETURNING", "UPDATE t SET a = upper(a) RETURNING a", [{ a: "X" }, { a: "Y" }]],
    [
      "WITH ... INSERT",
      "WITH n(v) AS (VALUES (7)) INSERT INTO t (a) SELECT v FROM n RETURNING a",
      [{ a: 7 }],
    ],
    [
      "WITH ... UPDATE",
      "WITH n(v) AS (VALUES (1)) UPDATE t SET a = 0 WHERE id IN (SELECT v FROM n) RETURNING id",
      [{ id: 1 }],
    ],
    [
      "a comment before DELETE",
      "/* select */ -- select\n DELETE FROM t WHERE id = 1 RETURNING a",
      [{ a: "x" }],
    ],
    ["a PRAGMA that writes", "PRAGMA user_version = 7", []],
    ["a PRAGMA that turns its header over", "PRAGMA journal_mode = wal", [{ journal_mode: "wal" }]],
    ["VACUUM", "VACUUM", []],
    ["REINDEX, which the engine calls read-only", "REINDEX", []],
    ["PRAGMA optimize, which the engine calls read-only", "PRAGMA optimize(0x10002)", []],
    ["ANALYZE", "ANALYZE", []],
    ["CREATE TABLE", "CREATE TABLE u (a)", []],
  ])("%s", async (_title, sql, rows) => {
    const first = await whoRan(() => pool.all(sql));
    expect(first.result).toEqual(rows);
    expect(first.writer).toBeGreaterThan(0);
    await pool.exec("DROP TABLE IF EXISTS u");
    // The second time the pool knows it.
    const second = await whoRan(() => pool.all(sql));
    expect(second.readers).toBe(0);
    expect(second.writer).toBeGreaterThan(0);
  });

  it("through get(), all() and iterate() once, whichever comes first", async () => {
    const rows: unknown[] = [];
    for await (const row of pool.iterate("INSERT INTO t (a) VALUES (1), (2) RETURNING id")) rows.push(row);
    expect(rows).toEqual([{ id: 3 }, { id: 4 }]);
    expect(await pool.get("INSERT INTO t (a) VALUES (3), (4) RETURNING id")).toEqual({ id: 5 });
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 6 });
    expect(await pool.get("PRAGMA user_version")).toEqual({ user_version: 0 });
  });
});

it("is told apart anew when thousands of other statements have been used since", async () => {
  const sql = "INSERT INTO t (a) VALUES (5) RETURNING a";
  await pool.all(sql);
  expect((await whoRan(() => pool.all(sql))).readers).toBe(0);
  // Refused at once, but looked at like any other.
  const others = Array.from({ length: 4000 }, (_, i) => pool.get(`BEGIN /* ${i} */`));
  expect(await outcomes(others)).toEqual(others.map(() => expect.any(ProgrammingError)));
  const again = await whoRan(() => pool.all(sql));
  expect(again.readers).toBeGreaterThan(0);
  expect(again.result).toEqual([{ a: 5 }]);
  expect(await pool.get("SELECT count(*) AS n FROM t WHERE a = 5")).toEqual({ n: 3 });
});

describe("what only reads stays on the readers", () => {
  it.each([
    ["SELECT", "SELECT count(*) AS n FROM t", { n: 2 }],
    ["WITH ... SELECT", "WITH n AS (SELECT * FROM t) SELECT count(*) AS n FROM n", { n: 2 }],
    ["VALUES", "VALUES (1)", { column1: 1 }],
    ["PRAGMA that asks", "PRAGMA table_info(t)", { name: "id" }],
    ["PRAGMA as a table", "SELECT name FROM pragma_table_info('t')", { name: "id" }],
    ["EXPLAIN QUERY PLAN", "EXPLAIN QUERY PLAN SELECT * FROM t", { detail: "SCAN t" }],
  ])("%s", async (_title, sql, row) => {
    const { result, writer, readers } = await whoRan(() => pool.get(sql));
    expect(result).toMatchObject(row);
    expect({ writer, readers }).toEqual({ writer: 0, readers: 1 });
  });

  it("EXPLAIN of a statement that writes runs nothing", async () => {
    const program = await pool.all("EXPLAIN INSERT INTO t (a) VALUES (1)");
    expect(program.length).toBeGreaterThan(3);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 2 });
  });

  it("a SELECT that calls a function, a closure or a module's", async () => {
    await pool.createFunction("twice", 1, (x: number) => 2 * x);
    await pool.createFunction("slug", 1, new URL("../fixtures/functions.mjs", import.meta.url), {
      export: "slug",
    });
    const { result, writer } = await whoRan(() => pool.get("SELECT twice(21) AS a, slug('Big Apple') AS b"));
    expect(result).toEqual({ a: 42, b: "big-apple" });
    expect(writer).toBe(0);
  });
});

it("everybody reads what has been written as soon as that is answered", async () => {
  await pool.run("CREATE TABLE counter (n)");
  await pool.run("INSERT INTO counter VALUES (0)");
  for (let n = 1; n <= 200; n++) {
    await pool.run("UPDATE counter SET n = n + 1");
    const reads = await Promise.all([
      pool.get("SELECT n FROM counter"),
      pool.get("SELECT n FROM counter -- another reader, perhaps"),
      pool.read((tx) => tx.get("SELECT n FROM counter")),
    ]);
    expect(reads).toEqual([{ n }, { n }, { n }]);
  }
});

it("sees a changed schema at once, on every reader", async () => {
  await Promise.all(Array.from({ length: 8 }, () => pool.all("SELECT * FROM t")));
  await pool.exec("ALTER TABLE t ADD COLUMN b DEFAULT 5; ALTER TABLE t RENAME COLUMN a TO c");
  for (const rows of await Promise.all(Array.from({ length: 8 }, () => pool.all("SELECT * FROM t")))) {
    expect(rows).toEqual([
      { id: 1, c: "x", b: 5 },
      { id: 2, c: "y", b: 5 },
    ]);
  }
});

it("a long read holds up neither quick ones nor writes", async () => {
  const held = await holds(pool);
  await pool.get("SELECT a FROM t WHERE id = ?", [1]);
  const long = pool.get("SELECT hold(?) AS done", [held.name(0)]);
  await held.entered(0);
  for (let i = 0; i < 20; i++) {
    expect(await pool.get("SELECT a FROM t WHERE id = ?", [1])).toEqual({ a: "x" });
    await pool.run("INSERT INTO t (a) VALUES (?)", [i]);
  }
  expect(pool.stats()).toMatchObject({ readers: 2, busy: 1 });
  await held.release(0);
  expect(await long).toEqual({ done: 1 });
});

it("a result that takes many packets is long, however quick each of them is", async () => {
  const many =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";
  const held = await holds(pool);
  const both = [0, 1].map((n) => pool.get("SELECT hold(?) AS done", [held.name(n)]));
  await Promise.all([held.entered(0), held.entered(1)]);
  for (const n of [0, 1]) await held.release(n);
  await Promise.all(both);
  // Both readers are open.
  for (let i = 0; i < 2; i++) await Promise.all([pool.all(many), pool.all(many)]);
  const big = Promise.all([pool.all(many), pool.all(many)]);
  // Both readers have one, so that a third waits; nothing joins one that is known to take long.
  expect(pool.stats()).toMatchObject({ busy: 2, queued: 2, waiting: 0 });
  const third = pool.all(many);
  expect(pool.stats()).toMatchObject({ busy: 2, queued: 2, waiting: 1 });
  expect((await big).map((rows) => rows.length)).toEqual([100_000, 100_000]);
  expect((await third).length).toBe(100_000);
});

describe("a call of the pool is a transaction of its own", () => {
  it.each([
    "BEGIN",
    "begin immediate",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "ROLLBACK TO s",
    "/**/ ;BEGIN",
  ])("so that %s is refused", async (sql) => {
    for (const call of [
      () => pool.run(sql),
      () => pool.get(sql),
      () => pool.all(sql),
      async () => {
        for await (const row of pool.iterate(sql)) expect(row).toBe("no row");
      },
    ]) {
      const error = await rejection(call);
      expect(error, String(call)).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toContain("transaction()");
    }
  });

  it("exec() runs the statements of a script, with nothing of others between them", async () => {
    const script = "UPDATE t SET a = 1 WHERE id = 1; UPDATE t SET a = 1 WHERE id = 2";
    const back = "UPDATE t SET a = 2 WHERE id = 1; UPDATE t SET a = 2 WHERE id = 2";
    // Then no reader is needed to learn that it writes.
    await pool.all("UPDATE t SET id = id RETURNING a");
    const written: Promise<void>[] = [];
    const read: Promise<unknown[]>[] = [];
    for (let i = 0; i < 40; i++) {
      written.push(pool.exec(i % 2 === 0 ? script : back));
      read.push(pool.all("UPDATE t SET id = id RETURNING a"));
    }
    await Promise.all(written);
    const ones = [{ a: 1 }, { a: 1 }];
    const twos = [{ a: 2 }, { a: 2 }];
    expect(await Promise.all(read)).toEqual(read.map((_, i) => (i % 2 === 0 ? ones : twos)));
  });

  it("exec() takes a script that is one transaction, and keeps nothing of it that failed", async () => {
    await pool.exec("BEGIN; INSERT INTO t (id) VALUES (10); INSERT INTO t (id) VALUES (11); COMMIT");
    const failed = pool.exec("BEGIN; INSERT INTO t (id) VALUES (12); INSERT INTO t (id) VALUES (10); COMMIT");
    const after = pool.run("INSERT INTO t (id) VALUES (13)");
    expect(await rejection(failed)).toMatchObject({ code: "SQLITE_CONSTRAINT_PRIMARYKEY" });
    await after;
    expect(await pool.all("SELECT id FROM t WHERE id >= 10")).toEqual([{ id: 10 }, { id: 11 }, { id: 13 }]);
  });

  it("exec() refuses a script that leaves a transaction open, and what it has done is undone", async () => {
    const open = pool.exec("BEGIN; INSERT INTO t (id) VALUES (20)");
    const after = pool.run("INSERT INTO t (id) VALUES (21)");
    expect(await rejection(open)).toBeInstanceOf(ProgrammingError);
    await after;
    expect(await pool.all("SELECT id FROM t WHERE id >= 20")).toEqual([{ id: 21 }]);
    expect(await rejection(pool.exec("SAVEPOINT s; DELETE FROM t"))).toBeInstanceOf(ProgrammingError);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
  });
});

describe("what a call sets on its connection, which no other call would find, is refused; in a script it ends with that", () => {
  it.each([
    ["a pragma", "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys", { foreign_keys: 1 }],
    [
      "a pragma that is only explained",
      "EXPLAIN PRAGMA foreign_keys = OFF",
      "PRAGMA foreign_keys",
      { foreign_keys: 1 },
    ],
    ["a pragma of a schema", "PRAGMA main.cache_size(3)", "PRAGMA cache_size", { cache_size: -16000 }],
    [
      "a temporary table",
      "CREATE TEMP TABLE u (a)",
      "SELECT count(*) AS n FROM temp.sqlite_schema",
      { n: 0 },
    ],
    [
      "a temporary view over a table of main",
      "CREATE TEMP VIEW t AS SELECT 1 AS a",
      "SELECT count(*) AS n FROM t",
      { n: 2 },
    ],
    [
      "a table of the temporary schema",
      'CREATE TABLE IF NOT EXISTS "temp".u (a)',
      "SELECT count(*) AS n FROM temp.sqlite_schema",
      { n: 0 },
    ],
    [
      "a virtual table of the temporary schema",
      "CREATE VIRTUAL TABLE temp.u USING fts5(a)",
      "SELECT count(*) AS n FROM temp.sqlite_schema",
      { n: 0 },
    ],
    [
      "a trigger of the temporary schema",
      "CREATE TRIGGER temp.u AFTER INSERT ON t BEGIN DELETE FROM t; END",
      "SELECT count(*) AS n FROM temp.sqlite_schema",
      { n: 0 },
    ],
    [
      "a number in the temporary database's header",
      "PRAGMA temp.user_version = 7",
      "PRAGMA temp.user_version",
      { user_version: 0 },
    ],
    [
      "an attached database",
      "ATTACH ':memory:' AS other",
      "SELECT count(*) AS n FROM pragma_database_list WHERE name = 'other'",
      { n: 0 },
    ],
  ])("%s", async (_title, sql, question, answer) => {
    const single = await openPool({ readers: 0, writers: 1 }, await temporaryPath());
    await single.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    for (const call of [
      () => single.run(sql),
      () => single.exec(sql),
      () => single.all(sql),
      () => single.iterate(sql).next(),
      () => pool.get(sql),
    ]) {
      const error = await rejection(call);
      expect(error, String(call)).toBeInstanceOf(ProgrammingError);
      expect((error as Error).message).toMatch(
        /by a single call .*(?:onConnect|option pragmas).*acquire\(\)$/,
      );
    }
    const [, seen] = await Promise.all([single.exec(`${sql}; SELECT 1`), single.get(question)]);
    expect(seen).toEqual(answer);
    expect(await single.get(question)).toEqual(answer);
    expect(single.stats().respawned).toBe(0);
  });
});

describe("iterate", () => {
  const numbers =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";

  it("gives every row in order, and holds its connection until the end", async () => {
    let sum = 0;
    for await (const { i } of pool.iterate<{ i: number }>(numbers)) {
      if (i === 5000) {
        const { threads } = pool.stats();
        expect(threads.filter((thread) => thread.heldBy === "iterate()")).toHaveLength(1);
      }
      sum += i;
    }
    expect(sum).toBe(50_005_000);
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
  });

  it("gives its connection back on break, throw and return(), read or not", async () => {
    for await (const row of pool.iterate(numbers)) {
      expect(row).toEqual({ i: 1 });
      break;
    }
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
    const thrown = new Error("enough");
    const loop = async (): Promise<void> => {
      for await (const row of pool.iterate(numbers)) if (row !== undefined) throw thrown;
    };
    expect(await rejection(loop)).toBe(thrown);
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
    const rows = pool.iterate(numbers)[Symbol.asyncIterator]();
    await rows.return?.();
    expect(await rows.next()).toEqual({ value: undefined, done: true });
    const [first, ended] = await Promise.all([pool.iterate(numbers).next(), rows.return?.()]);
    expect(first.value).toEqual({ i: 1 });
    expect(ended).toMatchObject({ done: true });
  });

  it("does not see what is written meanwhile, and lets others write", async () => {
    let seen = 0;
    for await (const { id } of pool.iterate<{ id: number }>("SELECT id FROM t")) {
      seen++;
      await pool.run("INSERT INTO t (a) VALUES (?)", [id]);
    }
    expect(seen).toBe(2);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 4 });
  });

  it("rejects where the statement fails, at the start and in the middle, and gives its connection back", async () => {
    const collect = async (sql: string): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for await (const row of pool.iterate(sql)) rows.push(row);
      return rows;
    };
    expect(await rejection(collect("SELECT * FROM nowhere"))).toMatchObject({ code: "SQLITE_ERROR" });
    const late = numbers.replace(
      "SELECT i FROM n",
      "SELECT CASE WHEN i < 9000 THEN i ELSE abs(-9223372036854775808) END AS i FROM n",
    );
    expect(await rejection(collect(late))).toMatchObject({ message: "integer overflow" });
    expect(await rejection(collect("SELECT ?"))).toBeInstanceOf(ProgrammingError);
    expect(pool.stats()).toMatchObject({ busy: 0, pending: 0 });
    expect(await collect("SELECT a FROM t")).toEqual([{ a: "x" }, { a: "y" }]);
  });

  it("stops between rows when its signal is aborted, and while it waits for one", async () => {
    const controller = new AbortController();
    const reason = new Error("seen enough");
    let seen = 0;
    const loop = async (): Promise<void> => {
      for await (const { i } of pool.iterate<{ i: number }>(numbers, [], { signal: controller.signal })) {
        seen = i;
        if (i === 100) controller.abort(reason);
      }
    };
    expect(await rejection(loop)).toBe(reason);
    expect(seen).toBe(100);
    const held = await holds(pool);
    const waiting = new AbortController();
    const stuck = pool.iterate("SELECT hold(?)", [held.name(0)], { signal: waiting.signal }).next();
    await held.entered(0);
    waiting.abort(reason);
    expect(await rejection(stuck)).toBe(reason);
    await held.release(0);
    expect(await pool.get("SELECT 1 AS one")).toEqual({ one: 1 });
  });
});
