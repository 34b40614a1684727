import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  capabilities,
  type Change,
  connect,
  type Connection,
  type ConnectOptions,
  createPool,
  IntegrityError,
  NotSupportedError,
  OperationalError,
  type Pool,
  type PoolOptions,
  ProgrammingError,
  SQLITE_DENY,
  SQLITE_READ,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

const requireFromWorker = createRequire(new URL("../../../worker/package.json", import.meta.url));
const { path: NATIVE } = requireFromWorker("@sqlite-aio/native") as { path: string };
const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql"));

async function openLibsql(path = ":memory:", options: ConnectOptions = {}): Promise<Connection> {
  return await open(path, { engine, isolationLevel: null, ...options });
}

async function openPool(path: string, options: PoolOptions = {}): Promise<Pool> {
  const pool = await createPool(path, { engine, ...options });
  onTestFinished(() => pool.close());
  return pool;
}

const numbers = (n: number): string =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${n})`;

describe("a connection with the engine libsql", () => {
  it("is libsql's own SQLite", async () => {
    const db = await openLibsql();
    expect(await db.executeFetchall("SELECT sqlite_version()")).toEqual([["3.45.1"]]);
  });

  it("binds and reads every type of value", async () => {
    const db = await openLibsql();
    const values = [
      1,
      -1.5,
      2n ** 62n,
      Number.MAX_SAFE_INTEGER,
      "é\u{1F600}",
      "",
      null,
      true,
      Buffer.from("ab"),
    ];
    const marks = values.map(() => "?, typeof(?)").join(", ");
    const [row] = await db.executeFetchall(
      `SELECT ${marks}`,
      values.flatMap((value) => [value, value]),
    );
    expect(row).toEqual(
      [
        [1, "integer"],
        [-1.5, "real"],
        [2n ** 62n, "integer"],
        [Number.MAX_SAFE_INTEGER, "integer"],
        ["é\u{1F600}", "text"],
        ["", "text"],
        [null, "null"],
        [1, "integer"],
        [Buffer.from("ab"), "blob"],
      ].flat(),
    );
  });

  it("takes parameters by position, by name and by number", async () => {
    const db = await openLibsql();
    expect(await db.executeFetchall("SELECT :b, @a, $b", { a: 1, b: 2 })).toEqual([[2, 1, 2]]);
    expect(await db.executeFetchall("SELECT ?2, ?, ?1", ["x", "y", "z"])).toEqual([["y", "z", "x"]]);
    expect(await db.executeFetchall("SELECT ?, :a, ?", [1, 2, 3])).toEqual([[1, 2, 3]]);
    expect(await rejection(db.execute("SELECT ?, ?", [1]))).toBeInstanceOf(ProgrammingError);
  });

  it("counts changes and gives row ids as they are", async () => {
    const db = await openLibsql();
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const cursor = await db.execute("INSERT INTO t (a) VALUES (1), (2)");
    expect([cursor.rowcount, cursor.lastrowid]).toEqual([2, 2]);
    expect(await db.executeInsert("INSERT INTO t (id) VALUES (?)", [2n ** 53n + 1n])).toEqual([
      2n ** 53n + 1n,
    ]);
    const last = await db.execute("INSERT INTO t (id) VALUES (?)", [2n ** 53n + 3n]);
    expect(last.lastrowid).toBe(2n ** 53n + 3n);
    expect(db.totalChanges).toBe(4);
    const returning = await db.execute("UPDATE t SET a = 0 WHERE id < 10 RETURNING id");
    expect([await returning.fetchall(), returning.rowcount]).toEqual([[[1], [2]], 2]);
  });

  it("refuses two statements at once, and runs none of them", async () => {
    const db = await openLibsql();
    await db.execute("CREATE TABLE t (a)");
    const error = await rejection(db.execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"));
    expect(error).toBeInstanceOf(ProgrammingError);
    expect((error as Error).message).toBe("You can only execute one statement at a time.");
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([]);
    expect((await db.execute("-- nothing")).description).toBeNull();
  });

  it("gives errors their classes and codes", async () => {
    const db = await openLibsql();
    await db.executescript("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)");
    const duplicate = await rejection(db.execute("INSERT INTO t VALUES (1)"));
    expect(duplicate).toBeInstanceOf(IntegrityError);
    expect(duplicate).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", sql: "INSERT INTO t VALUES (1)" });
    expect(await rejection(db.execute("SELEC 1"))).toMatchObject({
      name: "OperationalError",
      message: 'near "SELEC": syntax error',
    });
  });

  it("commits and rolls back, by itself as in Python and by transaction()", async () => {
    const db = await openLibsql(":memory:", { isolationLevel: "DEFERRED" });
    await db.execute("CREATE TABLE t (a)");
    await db.execute("INSERT INTO t VALUES (1)");
    expect(db.inTransaction).toBe(true);
    await db.rollback();
    const failure = new Error("undo");
    await db.transaction(async (tx) => {
      await tx.execute("INSERT INTO t VALUES (2)");
      expect(
        await rejection(
          tx.transaction(async (inner) => {
            await inner.execute("INSERT INTO t VALUES (3)");
            throw failure;
          }),
        ),
      ).toBe(failure);
    });
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[2]]);
  });

  it("iterates, and lets go of its lock where the loop is left", async () => {
    const path = await temporaryPath();
    const db = await openLibsql(path);
    await db.execute(`CREATE TABLE t AS ${numbers(1000)} SELECT x FROM c`);
    let sum = 0;
    for await (const [x] of db.execute("SELECT x FROM t")) sum += x as number;
    expect(sum).toBe(500_500);
    const other = await openLibsql(path, { timeout: 0 });
    const cursor = await db.execute("SELECT x FROM t ORDER BY x DESC");
    expect(await cursor.fetchone()).toEqual([1000]);
    expect(await rejection(other.execute("DELETE FROM t"))).toMatchObject({ code: "SQLITE_BUSY" });
    await cursor.close();
    expect((await other.execute("DELETE FROM t")).rowcount).toBe(1000);
  });

  it("lets go of rows also where their query fails by now", async () => {
    const path = await temporaryPath();
    const db = await openLibsql(path, { iterChunkSize: 1 });
    await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES ('1'), ('2'), ('3')");
    const cursor = await db.execute("SELECT json(x) FROM t");
    expect(await cursor.fetchone()).toEqual(["1"]);
    await db.execute("UPDATE t SET x = '{' WHERE x = '1'");
    await cursor.close();
    const other = await openLibsql(path, { timeout: 0 });
    expect((await other.execute("DELETE FROM t")).rowcount).toBe(3);
  });

  it("writes while a cursor is half read, and closes with one", async () => {
    const db = await openLibsql(await temporaryPath());
    await db.execute(`CREATE TABLE t AS ${numbers(500)} SELECT x FROM c`);
    const cursor = await db.execute("SELECT x FROM t");
    await cursor.fetchone();
    await db.execute("INSERT INTO t VALUES (0)");
    await db.execute("CREATE TABLE u (a)");
    const rows = await cursor.fetchall();
    expect(rows.slice(0, 499)).toEqual(Array.from({ length: 499 }, (_, i) => [i + 2]));
    await (await db.execute("SELECT x FROM t")).fetchone();
    await db.close();
  });

  it("has new column names after another connection has altered the table", async () => {
    const path = await temporaryPath();
    const db = await openLibsql(path);
    await db.execute("CREATE TABLE t (a)");
    await db.execute("INSERT INTO t VALUES (1)");
    const names = async () => (await db.execute("SELECT * FROM t")).description?.map(([name]) => name);
    expect(await names()).toEqual(["a"]);
    await (await openLibsql(path)).execute("ALTER TABLE t ADD COLUMN b");
    expect(await names()).toEqual(["a", "b"]);
  });

  it("dumps a database as CPython does", async () => {
    const db = await openLibsql();
    await db.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'it''s'), (NULL, x'00ff')");
    const lines: string[] = [];
    for await (const line of db.iterdump()) lines.push(line);
    expect(lines).toEqual([
      "BEGIN TRANSACTION;",
      "CREATE TABLE t (a, b);",
      `INSERT INTO "t" VALUES(1,'it''s');`,
      `INSERT INTO "t" VALUES(NULL,X'00FF');`,
      "COMMIT;",
    ]);
  });

  it("waits for a lock as long as it is told", async () => {
    const path = await temporaryPath();
    const db = await openLibsql(path, { timeout: 60 });
    const other = await openLibsql(path);
    await other.executescript("CREATE TABLE t (a); BEGIN IMMEDIATE");
    const began = performance.now();
    expect(await rejection(db.execute("INSERT INTO t VALUES (1)"))).toMatchObject({ code: "SQLITE_BUSY" });
    expect(performance.now() - began).toBeGreaterThanOrEqual(59);
    await other.commit();
    expect((await db.execute("INSERT INTO t VALUES (1)")).rowcount).toBe(1);
  });

  it.runIf(capabilities.interrupt)("stops a running statement, with the native companion", async () => {
    const db = await openLibsql();
    const endless = `${numbers(1e12)} SELECT count(*) FROM c`;
    expect(await rejection(db.executeFetchall(endless, [], { timeout: 30 }))).toMatchObject({
      code: "SQLITE_INTERRUPT",
    });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("opens readonly and fileMustExist, which libsql does not know, without making a file", async () => {
    const path = await temporaryPath();
    for (const options of [{ readonly: true }, { fileMustExist: true }]) {
      expect(await rejection(connect(path, { engine, ...options }))).toMatchObject({
        code: "SQLITE_CANTOPEN",
      });
      expect(existsSync(path)).toBe(false);
    }
    expect(await rejection(connect("/no/such/folder/a.db", { engine }))).toBeInstanceOf(OperationalError);
    await (await openLibsql(path)).execute("CREATE TABLE t (a)");
    const db = await openLibsql(path, { readonly: true });
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([]);
    expect(await rejection(db.execute("INSERT INTO t VALUES (1)"))).toMatchObject({
      code: "SQLITE_READONLY",
    });
  });

  it("traces statements, without their parameters", async () => {
    const db = await openLibsql();
    const seen: string[] = [];
    await db.setTraceCallback((sql) => seen.push(sql));
    await db.execute("SELECT ?", [7]);
    expect(seen).toEqual(["SELECT ?"]);
  });

  it.runIf(capabilities.changes)("has the native companion's authorizer and change events", async () => {
    const db = await openLibsql();
    await db.execute("CREATE TABLE t (a)");
    await db.setAuthorizer((action, _, column) =>
      action === SQLITE_READ && column === "a" ? SQLITE_DENY : 0,
    );
    expect(await rejection(db.execute("SELECT a FROM t"))).toMatchObject({ code: "SQLITE_AUTH" });
    const pool = await openPool(await temporaryPath());
    const changes: Change[] = [];
    pool.on("change", (change) => changes.push(change));
    await pool.exec("CREATE TABLE t (a)");
    await pool.run("INSERT INTO t VALUES (1)");
    expect(changes.at(-1)).toMatchObject({ tables: ["t"], rowids: { t: [1] } });
  });

  it("may be a class of one's own, made of libsql's", async () => {
    const module = new URL("own.mjs", pathToFileURL(`${await temporaryFolder()}/`));
    await writeFile(
      module,
      `import Libsql from ${JSON.stringify(engine.href)};
       export default class Own extends Libsql { exec(sql) { return super.exec(sql.replace("gulp", "sip")); } }`,
    );
    const db = await open(":memory:", { engine: module });
    await db.executescript("CREATE TABLE gulp (a)");
    expect(await db.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["sip"]]);
  });
});

describe("what libsql lacks", () => {
  it.each<[string, (db: Connection) => Promise<unknown>]>([
    ["createFunction()", (db) => db.createFunction("f", 0, () => 1)],
    ["backup()", async (db) => db.backup(await temporaryPath())],
    ["serialize()", (db) => db.serialize()],
    [
      "way to load an extension by its entry point",
      (db) => db.enableLoadExtension(true).then(() => db.loadExtension(NATIVE, "sqlite3_extension_init")),
    ],
  ])("%s rejects with an error that says so, and the connection goes on", async (name, call) => {
    const db = await openLibsql();
    const error = await rejection(call(db));
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error).toMatchObject({ message: `the engine libsql has no ${name}`, code: "SQLITE_AIO_ENGINE" });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("an extension is loaded by its path, and refused with an entry point, also when it opens", async () => {
    const db = await openLibsql(":memory:", { extensions: [{ path: NATIVE }] });
    expect(await rejection(db.loadExtension(NATIVE))).toMatchObject({ message: "not authorized" });
    const extensions = [{ path: NATIVE, entryPoint: "sqlite3_extension_init" }];
    expect(await rejection(openLibsql(":memory:", { extensions }))).toBeInstanceOf(NotSupportedError);
    expect(await rejection(openLibsql(":memory:", { extensions: [{ path: "/nowhere/x" }] }))).toMatchObject({
      message: expect.stringContaining(resolve("/nowhere/x")),
    });
  });

  it("pluck() gives the first column of all rows, as a setup module may use it", async () => {
    const setup = new URL("setup.mjs", pathToFileURL(`${await temporaryFolder()}/`));
    await writeFile(
      setup,
      `export default (db) => {
         const rows = db.prepare("VALUES (1, 2), (3, 4)").pluck().all();
         db.exec("CREATE TABLE t AS SELECT " + rows.join(" AS a, ") + " AS b");
       };`,
    );
    const db = await openLibsql(":memory:", { setup });
    expect(await db.executeFetchall("SELECT * FROM t")).toEqual([[1, 3]]);
  });

  it("an image is refused", async () => {
    const error = await rejection(connect(":memory:", { engine, image: new Uint8Array(4096) }));
    expect(error).toBeInstanceOf(NotSupportedError);
  });

  it("a pool in memory is refused, since it could not be cleaned without losing what it holds", async () => {
    const error = await rejection(createPool(":memory:", { engine }));
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error).toMatchObject({
      message: "a pool in memory needs an engine with serialize(), to clean up after its callers",
    });
  });
});

describe("a pool with the engine libsql", () => {
  it("reads by PRAGMA where it is readonly, and sets nothing", async () => {
    const path = await temporaryPath();
    const writer = await openPool(path);
    await writer.exec("CREATE TABLE t (a INTEGER); PRAGMA user_version = 7");
    const pool = await openPool(path, { readonly: true });
    expect(await pool.get("PRAGMA user_version")).toEqual({ user_version: 7 });
    expect(await pool.all("PRAGMA main.table_info(t)")).toMatchObject([{ name: "a", type: "INTEGER" }]);
    expect(await pool.get("/* whole? */ PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
    for (const sql of ["PRAGMA user_version = 8", "PRAGMA user_version(8)", "PRAGMA wal_checkpoint"]) {
      expect(await rejection(pool.get(sql)), sql).toMatchObject({ code: "SQLITE_READONLY" });
    }
  });

  it("reads on readers, and sends what writes to the writer", async () => {
    const pool = await openPool(await temporaryPath(), { readers: 2 });
    await pool.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    await Promise.all(Array.from({ length: 50 }, (_, i) => pool.run("INSERT INTO t (a) VALUES (?)", [i])));
    expect(await pool.get("SELECT count(*) AS n, sum(a) AS s FROM t")).toEqual({ n: 50, s: 1225 });
    expect(await pool.get("INSERT INTO t (a) VALUES (99) RETURNING id")).toEqual({ id: 51 });
    expect(await pool.all("WITH x AS (SELECT 1) DELETE FROM t WHERE id > 50 RETURNING a")).toEqual([
      { a: 99 },
    ]);
    const { threads } = pool.stats();
    expect(threads.filter(({ role, executed }) => role === "reader" && executed > 0)).not.toEqual([]);
  });

  it("rolls a transaction back, and keeps a snapshot still meanwhile", async () => {
    const pool = await openPool(await temporaryPath());
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const count = "SELECT count(*) AS n FROM t";
    const outside = await pool.acquire({ mode: "read" });
    await outside.executescript("BEGIN");
    expect(await outside.executeFetchall(count)).toEqual([[1]]);
    await pool.run("INSERT INTO t VALUES (2)");
    const undo = new Error("undo");
    const failed = pool.transaction(async (tx) => {
      await tx.run("DELETE FROM t");
      expect(await outside.executeFetchall(count)).toEqual([[1]]);
      throw undo;
    });
    expect(await rejection(failed)).toBe(undo);
    await outside.close();
    expect(await pool.get(count)).toEqual({ n: 2 });
  });

  it("gives nobody a temp table of someone else's", async () => {
    const pool = await openPool(await temporaryPath(), { readers: 0, writers: 1 });
    {
      await using lease = await pool.acquire();
      await lease.execute("CREATE TEMP TABLE mine (a)");
    }
    expect(await pool.all("SELECT name FROM sqlite_temp_schema")).toEqual([]);
  });
});
