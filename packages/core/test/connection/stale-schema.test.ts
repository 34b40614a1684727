import { expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

it("a statement is not refused for a schema that another connection has changed since", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("CREATE TABLE t (a)");
  const db = await open(path, { isolationLevel: null });
  const remade = (sql: string): void => void other.exec(sql);
  expect(await db.executeFetchall("SELECT * FROM t")).toEqual([]);
  // The engine finds a missing column or table by itself, and none of these.
  remade("DROP TABLE t; CREATE TABLE t (a, b)");
  await db.execute("INSERT INTO t VALUES (?, ?)", [1, 2]);
  remade("CREATE UNIQUE INDEX i ON t (a)");
  await db.execute("INSERT INTO t VALUES (?, 3) ON CONFLICT (a) DO UPDATE SET b = excluded.b", [1]);
  remade("ALTER TABLE t ADD COLUMN c");
  await db.executemany("INSERT INTO t VALUES (?, ?, ?)", [[4, 5, 6]]);
  remade("ALTER TABLE t ADD COLUMN d");
  await db.transaction((tx) => tx.execute("INSERT INTO t VALUES (?, ?, ?, 7)", [5, 6, 7]));
  expect(await db.executeFetchall("SELECT * FROM t")).toEqual([
    [1, 3, null, null],
    [4, 5, 6, null],
    [5, 6, 7, 7],
  ]);
  expect(await rejection(db.execute("INSERT INTO t VALUES (?)", [1]))).toMatchObject({
    message: "table t has 4 columns but 1 values were supplied",
  });
});

it("nor on a pool of equal connections for what another of them has done", async () => {
  const pool = await openPool({ readers: 0, writers: 3 });
  await pool.exec("CREATE TABLE t (a)");
  const everywhere = (sql: string): Promise<unknown> =>
    Promise.all(Array.from({ length: 3 }, () => pool.transaction((tx) => tx.get(sql))));
  await everywhere("SELECT count(*) FROM t");
  await pool.exec("DROP TABLE t; CREATE TABLE t (a, b)");
  const inserts = Array.from({ length: 3 }, (_, i) =>
    pool.transaction((tx) => tx.run("INSERT INTO t VALUES (?, ?)", [i, i])),
  );
  await Promise.all(inserts);
  expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
});

it("a statement that is wrong is refused at once where another connection's lock keeps the schema from being read", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("CREATE TABLE t (a)");
  const db = await open(path, { isolationLevel: null, timeout: 20_000 });
  expect(await db.executeFetchall("SELECT a FROM t")).toEqual([]);
  other.exec("BEGIN EXCLUSIVE");
  expect(await rejection(db.execute("SELECT b FROM t"))).toMatchObject({ message: "no such column: b" });
});
