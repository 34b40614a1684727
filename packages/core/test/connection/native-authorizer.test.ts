import { readFile } from "node:fs/promises";
import {
  capabilities,
  createPool,
  SQLITE_DENY,
  SQLITE_DROP_TABLE,
  SQLITE_IGNORE,
  SQLITE_INSERT,
  SQLITE_OK,
  SQLITE_PRAGMA,
  SQLITE_READ,
  SQLITE_RECURSIVE,
  SQLITE_SELECT,
  SQLITE_TRANSACTION,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, rejection, temporaryPath } from "../support/database.ts";

const DENIED = { name: "DatabaseError", code: "SQLITE_AUTH", message: "not authorized" };
const module = new URL("../fixtures/authorizers.mjs", import.meta.url);

type Asked = (number | string | null)[];

async function fixture<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`../fixtures/${name}`, import.meta.url), "utf8")) as T;
}

async function withTable() {
  const db = await open();
  await db.executescript("CREATE TABLE t (x, secret); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  const asked: Asked[] = [];
  return { db, asked };
}

describe.runIf(capabilities.authorizer)("an authorizer", () => {
  it("is asked what CPython's is, with the same arguments in the same order", async () => {
    const { script, statements } = await fixture<{ script: string; statements: string[] }>(
      "authorizer-statements.json",
    );
    // The output of authorizer-rows.py with CPython 3.11.
    const expected = await fixture<[sql: string, calls: Asked[]][]>("authorizer-rows.json");
    const db = await open();
    await db.executescript(script);
    let asked: Asked[] = [];
    await db.setAuthorizer((...args) => {
      asked.push(args);
      return SQLITE_OK;
    });
    const found: [string, Asked[]][] = [];
    for (const sql of statements) {
      asked = [];
      if (sql === "commit()") await db.commit();
      else if (sql === "rollback()") await db.rollback();
      else await (await db.execute(sql)).fetchall();
      found.push([sql, asked]);
    }
    expect(expected).toHaveLength(statements.length);
    expect(found).toEqual(expected);
  });

  it("denies with SQLITE_DENY, reads NULL with SQLITE_IGNORE, and allows with SQLITE_OK", async () => {
    const { db } = await withTable();
    await db.setAuthorizer((action, table, column) => {
      if (action === SQLITE_DROP_TABLE) return SQLITE_DENY;
      return action === SQLITE_READ && table === "t" && column === "secret" ? SQLITE_IGNORE : SQLITE_OK;
    });
    expect(await rejection(db.execute("DROP TABLE t"))).toMatchObject({ ...DENIED, sql: "DROP TABLE t" });
    expect(await db.executeFetchall("SELECT x, secret FROM t")).toEqual([
      [1, null],
      [2, null],
    ]);
    expect([SQLITE_OK, SQLITE_DENY, SQLITE_IGNORE, SQLITE_DROP_TABLE, SQLITE_RECURSIVE]).toEqual([
      0, 1, 2, 11, 33,
    ]);
  });

  it("that throws, or answers anything else, denies, and the connection goes on", async () => {
    const { db } = await withTable();
    const answers: (() => unknown)[] = [
      () => {
        throw new Error("from the authorizer");
      },
      () => undefined,
      () => 3,
      () => -1,
      () => "no",
      () => Promise.resolve(SQLITE_OK),
    ];
    for (const answer of answers) {
      await db.setAuthorizer(answer as () => number);
      const error = await rejection(db.executeFetchall("SELECT x FROM t"));
      expect(error, String(answer)).toMatchObject(DENIED);
      await db.setAuthorizer(null);
      expect(await db.executeFetchall("SELECT count(*) FROM t"), String(answer)).toEqual([[2]]);
    }
  });

  it("that throws again and again does not keep what it threw", async () => {
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const { db } = await withTable();
    const thrown: WeakRef<Error>[] = [];
    await db.setAuthorizer(() => {
      const error = new Error("no");
      thrown.push(new WeakRef(error));
      throw error;
    });
    for (let i = 0; i < 150; i++)
      expect(await rejection(db.executeFetchall(`SELECT ${i}`))).toMatchObject(DENIED);
    await db.setAuthorizer(null);
    collect();
    await new Promise(setImmediate);
    collect();
    const kept = thrown.map((error) => error.deref()).filter((error) => error !== undefined);
    expect(kept.length).toBeLessThan(thrown.length);
    expect(thrown[0]?.deref()).toBeUndefined();
  });

  it("is asked again about statements that were prepared before, and when it is replaced or removed", async () => {
    const { db } = await withTable();
    const sql = "SELECT secret FROM t WHERE x = ?";
    const read = (): Promise<unknown[]> => db.executeFetchall(sql, [1]);
    const answer = (wanted: number) => (action: number, _: string | null, column: string | null) =>
      action === SQLITE_READ && column === "secret" ? wanted : SQLITE_OK;
    for (let round = 0; round < 3; round++) {
      expect(await read()).toEqual([["a"]]);
      await db.setAuthorizer(answer(SQLITE_DENY));
      expect(await rejection(read())).toMatchObject({ code: "SQLITE_AUTH" });
      await db.setAuthorizer(answer(SQLITE_IGNORE));
      expect(await read()).toEqual([[null]]);
      await db.setAuthorizer(null);
    }
    expect(await read()).toEqual([["a"]]);
  });

  it("is asked when a statement is prepared, and not each time it runs", async () => {
    const { db, asked } = await withTable();
    await db.setAuthorizer((...args) => {
      asked.push(args);
      return SQLITE_OK;
    });
    for (let i = 0; i < 20; i++) await db.executeFetchall("SELECT x FROM t WHERE x = ?", [i]);
    expect(asked.filter(([action]) => action === SQLITE_SELECT)).toHaveLength(1);
  });

  it("may be a module's export, which runs in the connection's thread", async () => {
    const { db } = await withTable();
    await db.setAuthorizer(module, { export: "hide" });
    expect(await db.executeFetchall("SELECT x, secret FROM t WHERE x = 1")).toEqual([[1, null]]);
    await db.setAuthorizer(module, { export: "fails" });
    expect(await rejection(db.executeFetchall("SELECT x FROM t"))).toMatchObject({ code: "SQLITE_AUTH" });
    expect(await rejection(db.setAuthorizer(module, { export: "nothing" }))).toBeInstanceOf(Error);
    expect(await rejection(db.setAuthorizer("hide" as never))).toBeInstanceOf(TypeError);
    await db.setAuthorizer(null);
    expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[2]]);
  });

  it("is not asked about statements of the library's own", async () => {
    const path = await temporaryPath();
    const db = await open(path, { isolationLevel: null });
    await db.executescript("CREATE TABLE t (x INTEGER PRIMARY KEY, y)");
    const asked: Asked[] = [];
    await db.setAuthorizer((...args) => {
      asked.push(args);
      return args[0] === SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK;
    });
    await db.execute("INSERT INTO t (y) VALUES (1)");
    expect(await db.executeFetchall("INSERT INTO t (y) VALUES (2) RETURNING x")).toEqual([[2]]);
    await db.executemany("INSERT INTO t (y) VALUES (?)", [[3], [4]]);
    await db.executescript("CREATE TABLE u (z); CREATE TEMP TABLE v (w); ALTER TABLE u ADD COLUMN q");
    await rejection(db.execute("INSERT INTO t VALUES (1, 1)"));
    const cursor = await db.execute("SELECT x FROM t");
    expect(await cursor.fetchall()).toEqual([[1], [2], [3], [4]]);
    expect(db.totalChanges).toBe(4);
    expect(asked.filter(([action]) => action === SQLITE_PRAGMA)).toEqual([]);
    expect(asked.filter(([, , what]) => /changes|rowid/.test(String(what)))).toEqual([]);
    expect(asked.filter(([, table]) => /pragma|temp_schema/.test(String(table)))).toEqual([]);
  });

  it("can be set while a cursor is half read, which goes on", async () => {
    const { db } = await withTable();
    const cursor = await db.execute("SELECT value FROM json_each(?)", [
      JSON.stringify(Array.from({ length: 500 }, (_, i) => i)),
    ]);
    expect(await cursor.fetchone()).toEqual([0]);
    await db.setAuthorizer((action) => (action === SQLITE_INSERT ? SQLITE_DENY : SQLITE_OK));
    expect(await rejection(db.execute("INSERT INTO t VALUES (3, 'c')"))).toMatchObject(DENIED);
    expect(await cursor.fetchall()).toHaveLength(499);
  });

  it("stays when a backup replaces what was in memory", async () => {
    const { db } = await withTable();
    const target = await open();
    await target.setAuthorizer((action) => (action === SQLITE_INSERT ? SQLITE_DENY : SQLITE_OK));
    await db.backup(target);
    expect(await target.executeFetchall("SELECT count(*) FROM t")).toEqual([[2]]);
    expect(await rejection(target.execute("INSERT INTO t VALUES (3, 'c')"))).toMatchObject(DENIED);
  });

  it("may be the default export of its module", async () => {
    const { db } = await withTable();
    await db.setAuthorizer(new URL("data:text/javascript,export default (action) => action === 18 ? 1 : 0"));
    expect(await rejection(db.execute("INSERT INTO t VALUES (3, 'c')"))).toMatchObject(DENIED);
  });

  it("of a lease ends with it", async () => {
    const pool = await createPool(await temporaryPath());
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (x)");
    {
      await using db = await pool.acquire();
      // Not even the end of the lease is for it to deny.
      await db.execute("INSERT INTO t VALUES (1)");
      await db.setAuthorizer(() => SQLITE_DENY);
      expect(await rejection(db.execute("INSERT INTO t VALUES (2)"))).toMatchObject(DENIED);
    }
    await pool.run("INSERT INTO t VALUES (3)");
    expect(await pool.all("SELECT x FROM t")).toEqual([{ x: 3 }]);
    expect(pool.stats().respawned).toBe(0);
  });

  it("that onConnect sets is asked for every caller of a pool, and stays when the handle is opened afresh", async () => {
    const asked: Asked[] = [];
    const pool = await createPool(await temporaryPath(), {
      onConnect: (db) =>
        db.setAuthorizer((...args) => {
          asked.push(args);
          const [action, name] = args;
          return action === SQLITE_DROP_TABLE || (action === SQLITE_TRANSACTION && name === "ROLLBACK")
            ? SQLITE_DENY
            : SQLITE_OK;
        }),
    });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (x)");
    for (let round = 0; round < 2; round++) {
      expect(await rejection(pool.exec("DROP TABLE t"))).toMatchObject({ code: "SQLITE_AUTH" });
      await using db = await pool.acquire();
      await db.execute("INSERT INTO t VALUES (1)");
      await db.execute("PRAGMA cache_size = 100");
    }
    asked.length = 0;
    await Promise.all([1, 2, 3].map((x) => pool.run("INSERT INTO t VALUES (?)", [x])));
    // They share a transaction that is none of theirs.
    expect(asked.map(([action]) => action)).not.toContain(SQLITE_TRANSACTION);
    expect(await pool.get("SELECT count(*) AS n FROM t")).toEqual({ n: 3 });
    expect(pool.stats().respawned).toBe(0);
  });
});

describe.runIf(!capabilities.authorizer)("without the native companion an authorizer", () => {
  it("is refused by an error that names the package", async () => {
    const { db } = await withTable();
    const error = await rejection(db.setAuthorizer(() => SQLITE_OK));
    expect(error).toMatchObject({ name: "NotSupportedError" });
    expect((error as Error).message).toContain("@sqlite-aio/native");
  });
});
