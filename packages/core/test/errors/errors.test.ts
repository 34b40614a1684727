import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import {
  connect,
  type Connection,
  ConnectionClosedError,
  DatabaseError,
  DataError,
  IntegrityError,
  InterfaceError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PoolTimeoutError,
  ProgrammingError,
  QueueFullError,
  SqliteError,
  Warning,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { beforeEach, describe, expect, it } from "vitest";
import { classOf } from "../../dist/errors/errors.js";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { timeFactor } from "../support/time-factor.ts";

let db: Connection;

beforeEach(async () => {
  db = await open();
});

describe("the classes", () => {
  it("form the tree of PEP 249", () => {
    for (const [name, Class, Parent] of [
      ["InterfaceError", InterfaceError, SqliteError],
      ["DatabaseError", DatabaseError, SqliteError],
      ["DataError", DataError, DatabaseError],
      ["OperationalError", OperationalError, DatabaseError],
      ["IntegrityError", IntegrityError, DatabaseError],
      ["InternalError", InternalError, DatabaseError],
      ["ProgrammingError", ProgrammingError, DatabaseError],
      ["NotSupportedError", NotSupportedError, DatabaseError],
      ["ConnectionClosedError", ConnectionClosedError, OperationalError],
      ["PoolTimeoutError", PoolTimeoutError, OperationalError],
      ["QueueFullError", QueueFullError, OperationalError],
    ] as const) {
      const error = new Class("text");
      expect(Object.getPrototypeOf(Class), name).toBe(Parent);
      expect(error, name).toMatchObject({ name, message: "text" });
    }
    expect(Object.getPrototypeOf(WorkerCrashedError)).toBe(OperationalError);
    expect(new WorkerCrashedError("text", "unknown")).toMatchObject({
      name: "WorkerCrashedError",
      outcome: "unknown",
    });
    expect(Object.getPrototypeOf(SqliteError)).toBe(Error);
    expect(new Warning("text")).toBeInstanceOf(Error);
    expect(new Warning("text")).not.toBeInstanceOf(SqliteError);
  });

  it("belong to result codes as in CPython", () => {
    const mapping: Record<string, string[]> = {
      InternalError: ["SQLITE_INTERNAL", "SQLITE_NOTFOUND"],
      OperationalError: [
        "SQLITE_ERROR",
        "SQLITE_PERM",
        "SQLITE_ABORT",
        "SQLITE_ABORT_ROLLBACK",
        "SQLITE_BUSY",
        "SQLITE_BUSY_SNAPSHOT",
        "SQLITE_LOCKED",
        "SQLITE_NOMEM",
        "SQLITE_READONLY",
        "SQLITE_READONLY_DBMOVED",
        "SQLITE_INTERRUPT",
        "SQLITE_IOERR",
        "SQLITE_IOERR_WRITE",
        "SQLITE_FULL",
        "SQLITE_CANTOPEN",
        "SQLITE_CANTOPEN_ISDIR",
        "SQLITE_PROTOCOL",
        "SQLITE_EMPTY",
        "SQLITE_SCHEMA",
      ],
      DatabaseError: [
        "SQLITE_CORRUPT",
        "SQLITE_CORRUPT_INDEX",
        "SQLITE_NOTADB",
        "SQLITE_AUTH",
        "SQLITE_FORMAT",
        "SQLITE_NOLFS",
      ],
      DataError: ["SQLITE_TOOBIG"],
      IntegrityError: ["SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_MISMATCH"],
      InterfaceError: ["SQLITE_MISUSE", "SQLITE_RANGE"],
    };
    for (const [name, codes] of Object.entries(mapping)) {
      for (const code of codes) expect(new (classOf(code))("").name, code).toBe(name);
    }
  });
});

describe("an error of the engine", () => {
  it.each([
    ["UNIQUE", "INSERT INTO t (u) VALUES (1)", "SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: t.u"],
    [
      "PRIMARY KEY",
      "INSERT INTO t (id) VALUES (1)",
      "SQLITE_CONSTRAINT_PRIMARYKEY",
      "UNIQUE constraint failed: t.id",
    ],
    [
      "NOT NULL",
      "INSERT INTO t (n) VALUES (NULL)",
      "SQLITE_CONSTRAINT_NOTNULL",
      "NOT NULL constraint failed: t.n",
    ],
    ["CHECK", "INSERT INTO t (c) VALUES (-1)", "SQLITE_CONSTRAINT_CHECK", "CHECK constraint failed: c > 0"],
    [
      "FOREIGN KEY",
      "INSERT INTO t (p) VALUES (99)",
      "SQLITE_CONSTRAINT_FOREIGNKEY",
      "FOREIGN KEY constraint failed",
    ],
    ["RAISE(ABORT)", "DELETE FROM t", "SQLITE_CONSTRAINT_TRIGGER", "kept"],
    [
      "STRICT",
      "INSERT INTO s VALUES ('text')",
      "SQLITE_CONSTRAINT_DATATYPE",
      "cannot store TEXT value in INTEGER column s.x",
    ],
  ])("tells which constraint failed: %s", async (_name, sql, code, message) => {
    await db.executescript(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 0, c CHECK (c > 0), p REFERENCES t (id));
      CREATE TABLE s (x INTEGER) STRICT;
      CREATE TRIGGER keep BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'kept'); END;
      INSERT INTO t (id, u) VALUES (1, 1);
    `);
    const error = await rejection(db.execute(sql));
    expect(error).toBeInstanceOf(IntegrityError);
    expect(error).toMatchObject({ name: "IntegrityError", code, message, sql, rolledBack: false });
  });

  it("is an IntegrityError for a mismatched rowid, a DataError for what is too big", async () => {
    await db.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    const mismatch = await rejection(db.execute("INSERT INTO t VALUES ('text')"));
    expect(mismatch).toMatchObject({
      name: "IntegrityError",
      code: "SQLITE_MISMATCH",
      message: "datatype mismatch",
    });
    const big = await rejection(db.executeFetchall("SELECT zeroblob(2147483647)"));
    expect(big).toMatchObject({
      name: "DataError",
      code: "SQLITE_TOOBIG",
      message: "string or blob too big",
    });
    // 300 million characters, of two bytes each.
    const text = await rejection(() => db.execute("SELECT ?", ["é".repeat(300_000_000)]));
    expect(text).toMatchObject({ name: "DataError", code: "SQLITE_TOOBIG" });
  });

  it("is an OperationalError for a function of the setup module that the engine refuses, as it words it", async () => {
    const module = `export default (db) => {
      db.function("object", () => ({}));
      db.function("again", () => db.exec("SELECT 1"));
    }`;
    const own = await open(":memory:", { setup: new URL(`data:text/javascript,${encodeURI(module)}`) });
    expect(await rejection(own.execute("SELECT object()"))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_ERROR",
      message: "User-defined function object() returned an invalid value",
    });
    expect(await rejection(own.execute("SELECT again()"))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_BUSY",
      message: "This database connection is busy executing a query",
    });
  });

  it("is an OperationalError for wrong SQL", async () => {
    expect(await rejection(db.execute("SELEC 1"))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_ERROR",
      message: 'near "SELEC": syntax error',
    });
    expect(await rejection(db.execute("SELECT * FROM nowhere"))).toMatchObject({
      name: "OperationalError",
      message: "no such table: nowhere",
    });
    expect(await rejection(db.execute('SELECT "text"'))).toMatchObject({
      name: "OperationalError",
      message: expect.stringContaining("no such column"),
    });
  });

  it("is a ProgrammingError for two statements in one, and for executemany with a query", async () => {
    expect(await rejection(db.execute("SELECT 1; SELECT 2"))).toMatchObject({
      name: "ProgrammingError",
      message: "You can only execute one statement at a time.",
    });
    expect(await rejection(db.executemany("SELECT ?", [[1]]))).toMatchObject({
      name: "ProgrammingError",
      message: expect.stringContaining("executemany() can only execute DML statements."),
    });
  });

  it("is a DatabaseError for a file that is no database, or a broken one", async () => {
    const junk = await temporaryPath("junk.db");
    await writeFile(junk, "this is not a database, though it is long enough to look like one".repeat(20));
    const error = await rejection(async () => {
      await using opened = await connect(junk);
      await opened.execute("SELECT * FROM sqlite_schema");
    });
    expect(error).toMatchObject({
      name: "DatabaseError",
      code: "SQLITE_NOTADB",
      message: `file is not a database: ${junk} (it is no SQLite file, or it is encrypted)`,
    });

    const path = await temporaryPath("broken.db");
    const engine = openEngine(path);
    engine.exec("CREATE TABLE t (x)");
    const insert = engine.prepare("INSERT INTO t VALUES (?)");
    for (let i = 0; i < 500; i++) insert.run("x".repeat(100));
    const image = engine.serialize();
    image.fill(0xee, 4096, 3 * 4096);
    await writeFile(path, image);
    const broken = await open(path);
    expect(await rejection(broken.executeFetchall("SELECT * FROM t"))).toMatchObject({
      name: "DatabaseError",
      code: "SQLITE_CORRUPT",
      message: "database disk image is malformed",
    });
  });

  it("is an OperationalError for a file that cannot be opened", async () => {
    const folder = await temporaryFolder();
    const file = await temporaryPath();
    openEngine(file).exec("CREATE TABLE t (x)");
    for (const [path, options, reason] of [
      [join(folder, "missing", "test.db"), {}, "its folder does not exist"],
      [join(file, "test.db"), {}, "what should be its folder is a file"],
      [join(folder, "test.db"), { fileMustExist: true }, "there is no such file"],
      [join(folder, "test.db"), { readonly: true }, "there is no such file"],
      [folder, {}, "it is a folder"],
    ] as const) {
      const error = await rejection(connect(path, options));
      expect(error, path).toBeInstanceOf(OperationalError);
      expect((error as SqliteError).code, path).toMatch(/^SQLITE_CANTOPEN/);
      expect((error as SqliteError).message, path).toBe(`unable to open database file: ${path} (${reason})`);
    }
  });

  it("is an OperationalError where nothing may be written", async () => {
    const path = await temporaryPath();
    openEngine(path).exec("CREATE TABLE t (x)");
    const readonly = await open(path, { readonly: true });
    expect(await readonly.executeFetchall("SELECT * FROM t")).toEqual([]);
    const error = await rejection(readonly.execute("INSERT INTO t VALUES (1)"));
    expect(error).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_READONLY",
      message: "attempt to write a readonly database",
    });
  });

  it("is an OperationalError where the file may not grow", async () => {
    const path = await temporaryPath();
    const small = await open(path, { pragmas: { max_page_count: 10 } });
    await small.executescript("CREATE TABLE t (x)");
    const error = await rejection(small.execute("INSERT INTO t VALUES (zeroblob(100000))"));
    expect(error).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_FULL",
      message: "database or disk is full",
    });
    await small.rollback();
    await small.execute("INSERT INTO t VALUES (1)");
  });

  it("is an OperationalError for a table that is being read", async () => {
    await db.executescript("CREATE TABLE t (x)");
    await db.executemany(
      "INSERT INTO t VALUES (?)",
      Array.from({ length: 200 }, (_, x) => [x]),
    );
    const cursor = await db.execute("SELECT x FROM t");
    await cursor.fetchone();
    expect(await rejection(db.execute("DROP TABLE t"))).toMatchObject({
      name: "OperationalError",
      code: "SQLITE_LOCKED",
      message: "database table is locked",
    });
    await cursor.close();
    await db.execute("DROP TABLE t");
  });

  it("says that the transaction was rolled back because of it", async () => {
    await db.executescript("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)");
    await db.execute("INSERT INTO t VALUES (2)");
    const plain = await rejection(db.execute("INSERT INTO t VALUES (1)"));
    expect(plain).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: false });
    expect(db.inTransaction).toBe(true);
    const ending = await rejection(db.execute("INSERT OR ROLLBACK INTO t VALUES (1)"));
    expect(ending).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
    expect(db.inTransaction).toBe(false);
    const many = await rejection(db.executemany("INSERT OR ROLLBACK INTO t VALUES (?)", [[5], [6], [1]]));
    expect(many).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true, parameterSet: 2 });
    const script = await rejection(
      db.executescript("BEGIN; INSERT INTO t VALUES (7); INSERT OR ROLLBACK INTO t VALUES (1)"),
    );
    expect(script).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", rolledBack: true });
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
  });
});

describe("what an error carries", () => {
  it("is the SQL, and never a parameter", async () => {
    await db.executescript("CREATE TABLE t (name TEXT UNIQUE)");
    const secret = "correct horse battery staple";
    const sql = "INSERT INTO t VALUES (?)";
    await db.execute(sql, [secret]);
    const errors = [
      await rejection(db.execute(sql, [secret])),
      await rejection(db.executeInsert(sql, [secret])),
      await rejection(db.executemany(sql, [[secret]])),
      await rejection(db.executeFetchall("INSERT INTO t VALUES (:name) RETURNING name", { name: secret })),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({ sql: expect.stringContaining("INSERT INTO t VALUES") });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
    }
  });

  it("is the thread's error as the cause, with its code and its stack", async () => {
    const error = (await rejection(db.execute("SELECT * FROM nowhere"))) as SqliteError;
    const cause = error.cause as SqliteError;
    expect(cause).toBeInstanceOf(Error);
    expect(cause).toMatchObject({
      name: "SqliteError",
      code: "SQLITE_ERROR",
      message: "no such table: nowhere",
    });
    expect(cause.stack).toContain("better-sqlite3");
  });

  it("is the index of the parameter set, over all batches", async () => {
    await db.executescript("CREATE TABLE t (x UNIQUE)");
    const sets = Array.from({ length: 3000 }, (_, x) => [x === 2345 ? 7 : x]);
    const error = await rejection(db.executemany("INSERT INTO t VALUES (?)", sets));
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", parameterSet: 2345 });
  });
});

/** The line of this file that called the caller. */
function lineOf(depth: number): string {
  return /errors\.test\.ts:(\d+)/.exec(new Error("here").stack!.split("\n")[depth]!)![1]!;
}
const here = (): string => lineOf(3);
/** The line after the one that calls this. */
const below = (): string => String(Number(lineOf(3)) + 1);

function lines(error: unknown): (string | undefined)[] {
  return [...((error as Error).stack ?? "").matchAll(/errors\.test\.ts:(\d+)/g)].map((match) => match[1]);
}

describe("the stack", () => {
  const bad = "SELECT * FROM nowhere";

  it("shows the caller's line for a promise that is awaited", async () => {
    let line = "";
    try {
      line = below();
      await db.execute(bad);
    } catch (error) {
      expect(lines(error)).toContain(line);
    }
    expect(line).not.toBe("");
  });

  it("shows the caller's line for every way to wait for the promise", async () => {
    const cursor = await db.cursor();
    await db.createFunction("busy", 0, () => {
      const until = performance.now() + 5;
      while (performance.now() < until);
      return 1;
    });
    const first = Number(below());
    const cases: Record<string, () => Promise<unknown>> = {
      catch: () => db.execute(bad).catch((error: unknown) => Promise.reject(error)),
      chain: () => db.executeFetchall(bad).then(() => 1),
      all: () => Promise.all([db.execute("SELECT 1"), db.executeFetchall(bad)]),
      executeInsert: () => db.executeInsert(bad),
      executemany: () => db.executemany("INSERT INTO nowhere VALUES (?)", [[1]]),
      executescript: () => db.executescript(bad),
      cursor: () => cursor.execute(bad),
      iteration: async () => {
        for await (const row of db.execute(bad)) expect(row).toBe(0);
      },
      parameters: () => db.execute("SELECT ?", []),
      timeout: () =>
        db.executeFetchall(
          "WITH RECURSIVE n (i) AS (SELECT busy() UNION ALL SELECT i + busy() FROM n LIMIT 20) SELECT i FROM n",
          [],
          { timeout: 1 },
        ),
      createFunction: () => db.createFunction("f", 0, new URL("file:///nowhere.mjs")),
      loadExtension: () => db.loadExtension("/nowhere"),
      serialize: () => db.serialize({ timeout: -1 }),
      connect: () => connect("/nowhere/at/all.db"),
      transaction: () => db.transaction((tx) => tx.commit()),
    };
    const last = Number(here());
    for (const [name, work] of Object.entries(cases)) {
      const error = await rejection(work);
      const inside = lines(error).filter((line) => Number(line) > first && Number(line) < last);
      expect(inside, `${name}: ${(error as Error).stack}`).not.toEqual([]);
    }
  });

  it("shows the caller's line in an assertion about a rejection", async () => {
    const line = below();
    const promise = db.execute(bad);
    await expect(promise).rejects.toSatisfy((error) => lines(error).includes(line));
  });

  it("shows the caller's line where the first use of a statement is awaited later", async () => {
    const line = below();
    const promise = db.executeFetchall(bad);
    promise.catch(() => {});
    await nextTurn();
    await nextTurn();
    expect(lines(await rejection(promise))).toContain(line);
  });

  it("shows the caller's line for a statement that has often run, as long as it is awaited", async () => {
    await db.executescript("CREATE TABLE t (x UNIQUE)");
    const insert = "INSERT INTO t VALUES (?)";
    for (let x = 0; x < 100; x++) await db.execute(insert, [x]);
    let line = "";
    async function failing(): Promise<void> {
      line = below();
      await db.execute(insert, [5]);
    }
    expect(lines(await rejection(failing()))).toContain(line);
    async function failingAll(): Promise<void> {
      line = below();
      await Promise.all([db.execute(insert, [200]), db.execute(insert, [6])]);
    }
    expect(lines(await rejection(failingAll()))).toContain(line);
    async function failingFetch(): Promise<void> {
      await db.executeFetchall("SELECT ?", [1]);
      line = below();
      await db.transaction((tx) => tx.execute(insert, [7]));
    }
    await db.commit();
    expect(lines(await rejection(failingFetch()))).toContain(line);
  });

  it("shows the caller's line for a COMMIT that fails, and for a row that cannot be made", async () => {
    await db.executescript(
      "CREATE TABLE p (x PRIMARY KEY); CREATE TABLE c (x REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    await db.execute("INSERT INTO c VALUES (1)");
    let line = below();
    const committing = rejection(db.commit());
    const error = await committing;
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT_FOREIGNKEY" });
    expect(lines(error)).toContain(line);
    await db.rollback();
    const cursor = await db.execute(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) SELECT abs(iif(i = 200, -9223372036854775808, i)) FROM n",
    );
    async function fetching(): Promise<void> {
      line = below();
      await cursor.fetchall();
    }
    const overflow = await rejection(fetching());
    expect(overflow).toMatchObject({ name: "OperationalError", message: "integer overflow" });
    expect(lines(overflow)).toContain(line);
  });

  it("shows the caller's line when the connection is closed, before or meanwhile", async () => {
    const other = await open();
    const closing = other.close();
    let line = below();
    const behind = rejection(other.execute("SELECT 1"));
    expect(await behind).toMatchObject({ message: "Connection closed" });
    expect(lines(await behind)).toContain(line);
    await closing;
    line = below();
    const after = rejection(other.executeFetchall("SELECT 1"));
    expect(lines(await after)).toContain(line);
  });
});

describe("one of many calls", () => {
  it("that fails leaves the others as if each had been sent alone", async () => {
    await db.executescript("CREATE TABLE t (x UNIQUE)");
    const insert = "INSERT INTO t VALUES (?)";
    // The first round with statements that are new, the second with statements that are known.
    for (const round of [0, 100]) {
      const results = await Promise.allSettled([
        db.execute(insert, [round]),
        db.executeFetchall("SELECT count(*) FROM t"),
        db.execute(insert, [round]),
        db.execute(insert, [round + 1]),
        db.executeInsert(insert, [round + 2]),
        db.executemany(insert, [[round + 3], [round + 4]]),
        db.executeFetchall("SELECT max(x) FROM t"),
        db.executescript("SELECT * FROM nowhere"),
        db.executeFetchall("SELECT * FROM nowhere"),
        db.execute(insert, [round + 5]),
        db.commit(),
      ]);
      const failed = results.flatMap(({ status }, i) => (status === "rejected" ? [i] : []));
      expect(failed).toEqual([2, 7, 8]);
      const rows = results.map((result) => (result.status === "fulfilled" ? result.value : null));
      const before = round === 0 ? 0 : 6;
      expect(rows[1]).toEqual([[before + 1]]);
      expect(rows[6]).toEqual([[round + 4]]);
      expect(await db.executeFetchall("SELECT count(*) FROM t")).toEqual([[before + 6]]);
    }
  });

  it("that is slow holds back no answer before it, the first time and later", async () => {
    let ticks = 0;
    await db.createFunction("tick", 1, (x: number) => {
      ticks++;
      return x;
    });
    const slow =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT sum(tick(i)) FROM n";
    for (let round = 0; round < 4; round++) {
      ticks = 0;
      const answered: number[] = [];
      const before = [1, 2, 3].map((x) =>
        db.executeFetchall("SELECT ?", [x]).then((rows) => {
          answered.push(ticks);
          return rows;
        }),
      );
      const late = db.executeFetchall(slow);
      const after = db.executeFetchall("SELECT 4");
      expect(await Promise.all(before)).toEqual([[[1]], [[2]], [[3]]]);
      expect(await late).toEqual([[(3000 * 3001) / 2]]);
      expect(await after).toEqual([[4]]);
      expect(Math.max(...answered), `round ${round}`).toBeLessThan(1500 * timeFactor());
      expect(ticks).toBe(3000);
    }
  });
});
