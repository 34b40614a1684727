import { type Connection, type ConnectOptions, OperationalError } from "@sqlite-aio/core";
import { expect, it } from "vitest";
import { type Engine, open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { lockMet, tellsOfLocks } from "../support/lock-met.ts";

/** A database with locks that keep readers and writers apart, and the engine as another process. */
async function apart(
  schema: string,
  options: ConnectOptions,
): Promise<{ path: string; db: Connection; other: Engine }> {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec(`PRAGMA journal_mode = DELETE; ${schema}`);
  return { path, db: await open(path, options), other };
}

const counts = async (db: Connection): Promise<unknown[]> =>
  (await db.executeFetchall("SELECT changes(), last_insert_rowid()"))[0]!;

it.each([
  [
    "a plain table",
    "CREATE TABLE t (a UNIQUE)",
    "INSERT OR FAIL INTO t VALUES (1), (2), (1), (3)",
    "SQLITE_CONSTRAINT_UNIQUE",
    2,
  ],
  [
    "a virtual table, whose error is not one of a table's",
    "CREATE VIRTUAL TABLE t USING rtree(a, low, high)",
    "INSERT OR FAIL INTO t VALUES (1, 0, 1), (2, 0, 1), (3, 1, 0)",
    "SQLITE_CONSTRAINT",
    2,
  ],
  [
    "a trigger",
    `CREATE TABLE t (a); CREATE TABLE u (a);
     CREATE TRIGGER u BEFORE INSERT ON u BEGIN INSERT INTO t VALUES (1); SELECT RAISE(FAIL, 'no'); END`,
    "INSERT INTO u VALUES (1)",
    "SQLITE_CONSTRAINT_TRIGGER",
    1,
  ],
  [
    "a trigger of a view, whose rows total_changes() leaves out",
    `CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t;
     CREATE TRIGGER u AFTER INSERT ON t BEGIN SELECT RAISE(FAIL, 'no'); END;
     CREATE TRIGGER w INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (1); END`,
    "INSERT INTO v VALUES (1)",
    "SQLITE_CONSTRAINT_TRIGGER",
    1,
  ],
  [
    "deferred keys, which undo them",
    `CREATE TABLE p (a PRIMARY KEY);
     CREATE TABLE t (a UNIQUE, p REFERENCES p DEFERRABLE INITIALLY DEFERRED)`,
    "INSERT OR FAIL INTO t VALUES (1, 9), (1, 9)",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    0,
  ],
])("rows before a failure are left as SQLite leaves them: %s", async (_, schema, sql, code, rows) => {
  const engine = openEngine();
  engine.exec(schema);
  const total = engine.prepare("SELECT total_changes()").pluck();
  const already = total.get() as number;
  expect(() => engine.prepare(sql).run()).toThrow(/constraint failed|^no$/);
  const db = await open(":memory:", { isolationLevel: null, pragmas: { foreign_keys: "ON" } });
  await db.executescript(schema);
  const before = db.totalChanges;
  expect(await rejection(db.execute(sql))).toMatchObject({ code });
  expect(db.totalChanges - before).toBe((total.get() as number) - already);
  expect(await counts(db)).toEqual(engine.prepare("SELECT changes(), last_insert_rowid()").raw().get());
  expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[rows]]);
  expect(db.inTransaction).toBe(false);
});

it("a write whose deferred keys do not hold counts no rows", async () => {
  const db = await open(":memory:", { isolationLevel: null, pragmas: { foreign_keys: "ON" } });
  await db.executescript(
    "CREATE TABLE p (a PRIMARY KEY); CREATE TABLE t (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
  );
  const before = db.totalChanges;
  const error = await rejection(db.execute("INSERT INTO t VALUES (1), (2) RETURNING p"));
  expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
  expect(db.totalChanges).toBe(before);
  expect(await counts(db)).toEqual([0, 2]);
});

it("half-read cursors go on beside a change of the schema that fails", async () => {
  const db = await open(await temporaryPath(), { isolationLevel: null, iterChunkSize: 1 });
  await db.executescript(
    `CREATE TABLE n (i); INSERT INTO n WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 20)
     SELECT i FROM c; CREATE INDEX x ON n (i)`,
  );
  await db.createFunction("fails", 0, () => {
    throw new Error("no");
  });
  const cursor = await db.execute("SELECT i FROM n");
  expect(await cursor.fetchone()).toEqual([1]);
  for (const sql of ["DROP INDEX x", "CREATE TABLE m AS SELECT i, CASE i WHEN 9 THEN fails() END FROM n"])
    expect(await rejection(db.execute(sql))).toBeInstanceOf(OperationalError);
  expect(await cursor.fetchall()).toEqual(Array.from({ length: 19 }, (_, i) => [i + 2]));
  expect(await db.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["n"], ["x"]]);
});

it.each(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2), (1)"])(
  "a refused write waits for no lock: %s",
  async (sql) => {
    const { db, other } = await apart(
      "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); CREATE TABLE log (a); CREATE TRIGGER l AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END",
      { isolationLevel: null, timeout: 60_000 },
    );
    other.exec("BEGIN; SELECT * FROM t");
    expect(await rejection(db.execute(sql))).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE" });
    other.exec("COMMIT");
  },
);

it("waits for the locks of one write for the timeout, not for each of them", async () => {
  const { path, db, other } = await apart("CREATE TABLE t (a)", { isolationLevel: null, timeout: 1000 });
  const writer = openEngine(path);
  writer.exec("BEGIN IMMEDIATE");
  const began = performance.now();
  const answer = rejection(db.execute("INSERT INTO t VALUES (1)"));
  setTimeout(() => {
    other.exec("BEGIN; SELECT * FROM t");
    writer.exec("ROLLBACK");
  }, 800);
  expect(await answer).toMatchObject({ code: "SQLITE_BUSY" });
  // The rest of the timeout is for the lock that its COMMIT needs.
  expect(performance.now() - began).toBeLessThan(1500);
  other.exec("COMMIT");
  expect(await db.executeFetchall("SELECT * FROM t")).toEqual([]);
});

it.each(["by its text", "by commit()"])(
  "a COMMIT that is given up says whether it is done: %s",
  async (way) => {
    const { path, db, other } = await apart("CREATE TABLE t (a)", { setup: tellsOfLocks, timeout: 60_000 });
    const there = other.prepare("SELECT count(*) FROM t WHERE a = ?").pluck();
    const reason = new Error("no longer wanted");
    for (let round = 1; round <= 8; round++) {
      await db.execute("INSERT INTO t VALUES (?)", [round]);
      other.exec("BEGIN; SELECT * FROM t");
      const met = lockMet(path);
      const controller = new AbortController();
      const { signal } = controller;
      const committed = (
        way === "by commit()" ? db.commit({ signal }) : db.execute("COMMIT", [], { signal })
      ).then(
        () => true,
        (error: unknown) => error !== reason,
      );
      await met;
      // SQLite waits for the lock, and gets it now.
      controller.abort(reason);
      other.exec("COMMIT");
      const fulfilled = await committed;
      // A COMMIT that was given up while it waited keeps new readers out.
      if (db.inTransaction) await db.rollback();
      expect([round, there.get(round)]).toEqual([round, fulfilled ? 1 : 0]);
    }
  },
);

it("a pool's writes do the same", async () => {
  const pool = await openPool({ readers: 1 });
  await pool.exec("CREATE TABLE t (a UNIQUE)");
  expect(await rejection(pool.run("INSERT OR FAIL INTO t VALUES (1), (2), (1)"))).toMatchObject({
    code: "SQLITE_CONSTRAINT_UNIQUE",
  });
  expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
});
