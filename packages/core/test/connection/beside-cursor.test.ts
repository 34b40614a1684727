import { expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";

const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n";

it("executemany runs beside a cursor that is half read, and opens its transaction there", async () => {
  const db = await open();
  await db.executescript(`CREATE TABLE source (a); CREATE TABLE t (a); INSERT INTO source ${NUMBERS}`);
  const cursor = await db.execute("SELECT a FROM source ORDER BY a");
  expect(await cursor.fetchone()).toEqual([1]);
  const sets = Array.from({ length: 2500 }, (_, i) => [i]);
  expect((await db.executemany("INSERT INTO t VALUES (?)", sets)).rowcount).toBe(2500);
  expect(db.inTransaction).toBe(true);
  expect((await db.executemany("INSERT INTO t VALUES (?)", [[1], [2]])).rowcount).toBe(2);
  await db.commit();
  expect((await cursor.fetchall()).length).toBe(999);
  expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[2502]]);
});

it("a fetch in the tick of the cursor's execute gives that statement's rows", async () => {
  const db = await open();
  const cursor = await db.cursor();
  const [, one, many, rest] = await Promise.all([
    cursor.execute(NUMBERS),
    cursor.fetchone(),
    cursor.fetchmany(2),
    cursor.fetchall(),
  ]);
  expect([one, many, rest[0], rest.length]).toEqual([[1], [[2], [3]], [4], 997]);
  const [failed, none] = await Promise.allSettled([
    cursor.execute("SELECT * FROM nowhere"),
    cursor.fetchone(),
  ]);
  expect(failed).toMatchObject({ reason: { message: "no such table: nowhere" } });
  expect(none).toMatchObject({ value: null });
  const [, , last] = await Promise.all([
    cursor.execute("SELECT 1"),
    cursor.execute("SELECT 2"),
    cursor.fetchone(),
  ]);
  expect(last).toEqual([2]);
});

it("rows that a row factory makes undefined are rows", async () => {
  const db = await open();
  db.rowFactory = (_cursor, row) => ((row[0] as number) % 2 === 0 ? undefined : row[0]);
  const seen: unknown[] = [];
  for await (const row of db.execute(`${NUMBERS} LIMIT 200`)) seen.push(row);
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => (i % 2 === 1 ? undefined : i + 1)));
});

it("a deferred transaction that has read nothing takes no snapshot, and can write after another's commit", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
  const db = await open(path, { isolationLevel: null, timeout: 0 });
  for (const first of [
    "SELECT 1",
    "SELECT * FROM nowhere",
    "PRAGMA cache_size",
    "SAVEPOINT s",
    "SELECT x FROM (VALUES (1)) AS v (y)",
  ]) {
    await db.execute("BEGIN");
    await db.executeFetchall(first).catch(() => {});
    other.exec("INSERT INTO t VALUES (1)");
    await db.execute("INSERT INTO t VALUES (2)");
    await db.commit();
  }
  // A transaction that has read cannot.
  await db.execute("BEGIN");
  await db.executeFetchall("SELECT * FROM t");
  other.exec("INSERT INTO t VALUES (1)");
  expect(await rejection(db.execute("INSERT INTO t VALUES (2)"))).toMatchObject({
    code: "SQLITE_BUSY_SNAPSHOT",
  });
});

it("the names of columns are right inside a transaction, whatever another connection has altered before it read", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  const db = await open(path, { isolationLevel: null });
  const names = async (): Promise<unknown> =>
    (await db.execute("SELECT * FROM t")).description?.map(([name]) => name);
  expect(await names()).toEqual(["a"]);
  await db.execute("BEGIN");
  await db.executeFetchall("SELECT 1");
  other.exec("ALTER TABLE t ADD COLUMN b");
  expect(await names()).toEqual(["a", "b"]);
});

it("WITH opens no transaction, EXPLAIN changes no row", async () => {
  const db = await open();
  await db.execute("CREATE TABLE t (a)");
  expect((await db.execute("EXPLAIN INSERT INTO t VALUES (1)")).rowcount).toBe(-1);
  const cursor = await db.execute("WITH n (i) AS (VALUES (1), (2)) INSERT INTO t SELECT i FROM n");
  expect([cursor.rowcount, db.inTransaction]).toEqual([2, false]);
  await db.execute("INSERT INTO t VALUES (3)");
  expect(db.inTransaction).toBe(true);
});
