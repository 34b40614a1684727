import * as core from "@sqlite-aio/core";
import { capabilities, connect, createPool } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { python } from "../support/python.ts";

const {
  SQLITE_LIMIT_ATTACHED,
  SQLITE_LIMIT_COLUMN,
  SQLITE_LIMIT_SQL_LENGTH,
  SQLITE_LIMIT_VARIABLE_NUMBER,
  SQLITE_DBCONFIG_DEFENSIVE,
  SQLITE_DBCONFIG_DQS_DML,
  SQLITE_DBCONFIG_ENABLE_FKEY,
  SQLITE_DBCONFIG_ENABLE_TRIGGER,
  SQLITE_DBCONFIG_RESET_DATABASE,
} = core;

const MISSING = { name: "NotSupportedError", message: expect.stringContaining("@sqlite-aio/native") };

it("the codes are those of CPython, and SQLite's where CPython has none", () => {
  const theirs = python(
    "print(json.dumps({n: getattr(sqlite3, n) for n in dir(sqlite3) if n.startswith(('SQLITE_LIMIT_', 'SQLITE_DBCONFIG_'))}))",
  ) as Record<string, number>;
  expect(Object.keys(theirs).length).toBeGreaterThan(10);
  expect(core).toMatchObject(theirs);
});

describe.runIf(capabilities.limits)("limits", () => {
  it("setlimit() gives the limit before, and getlimit() the one of now, as CPython's do", async () => {
    const db = await open();
    const ours = [
      await db.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 11),
      await db.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 12),
      await db.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER),
      await db.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, -100),
      await db.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER),
      await db.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 2 ** 31 - 1),
      await db.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER),
    ];
    const theirs = python(`
db = sqlite3.connect(":memory:"); c = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
print(json.dumps([db.setlimit(c, 11), db.setlimit(c, 12), db.getlimit(c), db.setlimit(c, -100), db.getlimit(c),
  db.setlimit(c, 2**31 - 1), db.getlimit(c)]))`) as number[];
    // The bound itself is the engine's: stock CPython may be built with another.
    expect(ours.slice(1, 6)).toEqual(theirs.slice(1, 6));
    expect(ours[6]).toBe(ours[0]);
  });

  it("hold for statements, with CPython's errors", async () => {
    const db = await open();
    await db.setlimit(SQLITE_LIMIT_SQL_LENGTH, 20);
    const error = await rejection(db.execute("SELECT 1 AS a_name_that_is_long"));
    const theirs = python(`
db = sqlite3.connect(":memory:"); db.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 20)
try: db.execute("SELECT 1 AS a_name_that_is_long")
except sqlite3.Error as e: print(json.dumps([type(e).__name__, str(e)]))`);
    expect(theirs).toEqual(["DataError", "query string is too large"]);
    expect(error).toMatchObject({ name: "DataError", code: "SQLITE_TOOBIG" });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("of a category that there is not are a ProgrammingError, as in CPython", async () => {
    const db = await open();
    const theirs = python(`
db = sqlite3.connect(":memory:"); out = []
for f in (lambda: db.setlimit(1111, 0), lambda: db.getlimit(-1)):
  try: f()
  except sqlite3.Error as e: out += [type(e).__name__, str(e)]
print(json.dumps(out))`) as string[];
    for (const call of [() => db.setlimit(1111, 0), () => db.getlimit(-1)]) {
      expect(await rejection(call)).toMatchObject({ name: theirs[0], message: theirs[1] });
    }
    expect(await rejection(db.setlimit("1" as never, 0))).toBeInstanceOf(TypeError);
    expect(await rejection(db.setlimit(1, 0.5))).toBeInstanceOf(TypeError);
    expect(await rejection(db.setlimit(1, 2 ** 31))).toBeInstanceOf(RangeError);
  });

  it("can be given to connect(), by name and by number", async () => {
    const db = await open(":memory:", {
      limits: { variableNumber: 3, [SQLITE_LIMIT_ATTACHED]: 0, column: undefined },
    });
    expect(await db.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)).toBe(3);
    expect(await db.getlimit(SQLITE_LIMIT_ATTACHED)).toBe(0);
    expect(await rejection(db.execute("SELECT ?, ?, ?, ?", [1, 2, 3, 4]))).toMatchObject({
      name: "OperationalError",
      message: "too many SQL variables",
    });
    expect(await rejection(db.execute("ATTACH ':memory:' AS more"))).toMatchObject({
      message: "too many attached databases - max 0",
    });
  });

  it("that cannot be are refused before a thread is started", async () => {
    for (const [limits, error] of [
      [{ columns: 1 }, TypeError],
      [{ 99: 1 }, TypeError],
      [{ column: "1" }, TypeError],
      [{ column: -1 }, RangeError],
      [{ column: 2 ** 31 }, RangeError],
      [3, TypeError],
    ] as const)
      expect(await rejection(connect(":memory:", { limits: limits as never }))).toBeInstanceOf(error);
  });

  it("stay when the contents of a connection are replaced", async () => {
    const db = await open(":memory:", { limits: { column: 5 } });
    await db.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 4);
    await db.setconfig(SQLITE_DBCONFIG_ENABLE_TRIGGER, false);
    const source = await open();
    await source.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    await source.backup(db);
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
    expect(await db.getlimit(SQLITE_LIMIT_COLUMN)).toBe(5);
    expect(await db.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)).toBe(4);
    expect(await db.getconfig(SQLITE_DBCONFIG_ENABLE_TRIGGER)).toBe(false);
  });

  it("of a lease are gone with it, and those of a pool's options hold on every connection", async () => {
    const pool = await createPool(await temporaryPath(), { limits: { variableNumber: 7 } });
    onTestFinished(() => pool.close());
    const lease = await pool.acquire();
    await lease.setlimit(SQLITE_LIMIT_VARIABLE_NUMBER, 2);
    await lease.setconfig(SQLITE_DBCONFIG_DQS_DML, true);
    expect(await lease.executeFetchall('SELECT "text"')).toEqual([["text"]]);
    await lease.close();
    for (const mode of ["read", "write"] as const) {
      await using next = await pool.acquire({ mode });
      expect(await next.getlimit(SQLITE_LIMIT_VARIABLE_NUMBER)).toBe(7);
      expect(await next.getconfig(SQLITE_DBCONFIG_DQS_DML)).toBe(false);
    }
  });
});

describe.runIf(capabilities.limits)("switches", () => {
  it("are turned off and on, and tell how they are", async () => {
    const db = await open();
    expect(await db.getconfig(SQLITE_DBCONFIG_ENABLE_FKEY)).toBe(true);
    await db.setconfig(SQLITE_DBCONFIG_ENABLE_FKEY, false);
    expect(await db.getconfig(SQLITE_DBCONFIG_ENABLE_FKEY)).toBe(false);
    expect(await db.executeFetchall("PRAGMA foreign_keys")).toEqual([[0]]);
    await db.setconfig(SQLITE_DBCONFIG_ENABLE_FKEY);
    expect(await db.executeFetchall("PRAGMA foreign_keys")).toEqual([[1]]);
  });

  it("that are none are a RangeError, and what is no number or boolean a TypeError", async () => {
    const db = await open();
    expect(await rejection(db.setconfig(1_000_000))).toMatchObject({
      name: "RangeError",
      message: "unknown config 'op': 1000000",
    });
    expect(await rejection(db.getconfig(1000))).toBeInstanceOf(RangeError);
    expect(await rejection(db.setconfig("1002" as never))).toBeInstanceOf(TypeError);
    expect(await rejection(db.setconfig(SQLITE_DBCONFIG_ENABLE_FKEY, 1 as never))).toBeInstanceOf(TypeError);
  });

  it("keep the defensive flag off while rows are half read and others are written", async () => {
    const db = await open();
    await db.setconfig(SQLITE_DBCONFIG_DEFENSIVE, false);
    await db.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
    const cursor = await db.cursor();
    cursor.iterChunkSize = 1;
    await cursor.execute("SELECT a FROM t");
    expect(await cursor.fetchone()).toEqual([1]);
    await db.execute("INSERT INTO t VALUES (4)");
    expect(await db.getconfig(SQLITE_DBCONFIG_DEFENSIVE)).toBe(false);
    await cursor.close();
  });

  it("RESET_DATABASE lets VACUUM empty a file", async () => {
    const path = await temporaryPath();
    const db = await open(path);
    await db.executescript("CREATE TABLE t (a)");
    await db.setconfig(SQLITE_DBCONFIG_RESET_DATABASE);
    await db.executescript("VACUUM");
    await db.setconfig(SQLITE_DBCONFIG_RESET_DATABASE, false);
    expect(openEngine(path).prepare("SELECT count(*) FROM sqlite_schema").pluck().get()).toBe(0);
  });

  it("doubleQuotedStrings reads what is in double quotes and no column as a string", async () => {
    const db = await open(":memory:", { doubleQuotedStrings: true });
    expect(await db.executeFetchall('SELECT "no column"')).toEqual([["no column"]]);
    await db.executescript('CREATE TABLE t (a DEFAULT "text"); INSERT INTO t DEFAULT VALUES');
    expect(await db.executeFetchall("SELECT a FROM t")).toEqual([["text"]]);
    const strict = await open();
    expect(await rejection(strict.execute('SELECT "no column"'))).toMatchObject({
      message: expect.stringContaining("no such column"),
    });
  });
});

describe.runIf(!capabilities.limits)("without the native companion", () => {
  it("limits, switches and hooks are a NotSupportedError that names the package", async () => {
    const db = await open();
    for (const call of [
      () => db.setlimit(0, 1),
      () => db.getlimit(0),
      () => db.setconfig(SQLITE_DBCONFIG_ENABLE_FKEY),
      () => db.getconfig(SQLITE_DBCONFIG_ENABLE_FKEY),
      () => db.setUpdateHook(() => {}),
      () => db.setCommitHook(() => {}),
      () => db.setRollbackHook(null),
      () => connect(":memory:", { limits: {} }),
      () => connect(":memory:", { doubleQuotedStrings: true }),
    ])
      expect(await rejection(call)).toMatchObject(MISSING);
    expect(await connect(":memory:", { doubleQuotedStrings: false }).then((other) => other.close())).toBe(
      undefined,
    );
  });
});
