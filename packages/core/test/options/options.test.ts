import { createRequire } from "node:module";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";
import { connect, type Connection, NotSupportedError, QueueFullError } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

/** Why there is no companion in `test:without-native`, where nothing else keeps it out. */
const off =
  process.env.SQLITE_AIO_NATIVE === "off" ? "which SQLITE_AIO_NATIVE=off has turned off" : undefined;

const pragma = async (db: Connection, name: string): Promise<unknown> =>
  ((await db.executeFetchall(`PRAGMA ${name}`)) as [[unknown]])[0][0];

describe("the database", () => {
  it("is a path, a file URL, a Buffer, in memory or temporary", async () => {
    const path = await temporaryPath("täst 1.db");
    openEngine(path).exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    for (const database of [path, pathToFileURL(path), Buffer.from(path)]) {
      const db = await open(database);
      expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
    }
    for (const database of [":memory:", ""]) {
      const db = await open(database);
      await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (2)");
      expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[2]]);
    }
  });

  it("has the name that was given, with its blanks, relative to the folder of the process", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "  a b.db");
    const db = await open(path);
    await db.executescript("CREATE TABLE t (x)");
    expect(openEngine(path).prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
    const home = process.cwd();
    onTestFinished(() => process.chdir(home));
    process.chdir(folder);
    expect(await (await open("  a b.db")).executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["t"]]);
    expect(await readdir(folder)).toEqual(["  a b.db"]);
    for (const bad of ["a ", join(folder, "a\n")]) {
      expect(await rejection(() => connect(bad))).toMatchObject({
        message: "the engine cannot open a database whose path ends in white space",
      });
    }
  });

  it.each([
    ["a URI", "file:test.db?mode=memory"],
    ["a URI in capitals", "FILE:test.db"],
    ["a NUL", "a\0b.db"],
    ["a NUL in a Buffer", Buffer.from("a\0b.db")],
    ["bytes that are no UTF-8", Buffer.from([0x61, 0xff])],
    ["a lone surrogate", "a\ud800.db"],
    ["only blanks", "  "],
    ["blanks at its end", "test.db "],
    ["no file URL", new URL("https://example.org/test.db")],
    ["a number", 5],
    ["nothing", undefined],
  ])("cannot be %s", async (_name, database) => {
    expect(await rejection(() => connect(database as never))).toBeInstanceOf(TypeError);
  });
});

describe("an option that makes no sense", () => {
  it.each([
    ["iterChunkSize", 0, RangeError],
    ["iterChunkSize", 1.5, TypeError],
    ["iterChunkSize", "64", TypeError],
    ["timeout", -1, RangeError],
    ["timeout", "5", TypeError],
    ["timeout", Number.NaN, TypeError],
    ["timeout", 2 ** 40, RangeError],
    ["detectTypes", -1, RangeError],
    ["detectTypes", "decl", TypeError],
    ["isolationLevel", "SERIALIZABLE", RangeError],
    ["isolationLevel", 5, TypeError],
    ["cachedStatements", -1, RangeError],
    ["cachedStatements", null, TypeError],
    ["readonly", 1, TypeError],
    ["readonly", true, TypeError],
    ["fileMustExist", "yes", TypeError],
    ["integers", "string", RangeError],
    ["integers", 5, TypeError],
    ["pragmas", "journal_mode", TypeError],
    ["pragmas", null, TypeError],
    ["pragmas", { "journal_mode = OFF; DROP TABLE t; --": 1 }, TypeError],
    ["pragmas", { cache_size: {} }, TypeError],
    ["pragmas", { cache_size: Number.NaN }, TypeError],
    ["pragmas", { cache_size: "a\0b" }, TypeError],
    ["extensions", "path", TypeError],
    ["extensions", [{}], TypeError],
    ["extensions", [{ path: "" }], TypeError],
    ["extensions", [{ path: "a\0b" }], TypeError],
    ["extensions", ["path"], TypeError],
    ["extensions", [{ path: "x", entryPoint: 5 }], TypeError],
    ["extensions", [{ path: "x", entryPoint: "a\0b" }], TypeError],
    ["setup", "./setup.js", TypeError],
    ["engine", "", TypeError],
    ["engine", 5, TypeError],
    ["createWorker", "Worker", TypeError],
    ["resourceLimits", 5, TypeError],
    ["resourceLimits", null, TypeError],
    ["maxQueue", 0, RangeError],
    ["maxQueue", "all", TypeError],
    ["signal", {}, TypeError],
    ["image", "bytes", TypeError],
    ["detectTypes", 4, RangeError],
    ["detectTypes", 9, RangeError],
    ["detectTypes", "1", TypeError],
    ["isolation_level", null, TypeError],
    ["tiemout", 5, TypeError],
  ])("is refused: %s %o", async (name, value, type) => {
    const error = await rejection(() => connect(":memory:", { [name]: value }));
    expect(error).toBeInstanceOf(type);
    const word = name.startsWith("readonly")
      ? "readonly"
      : name === "isolationLevel"
        ? "isolation level"
        : name;
    expect((error as Error).message.toLowerCase()).toContain(
      (name === "pragmas" || name === "extensions" ? name.slice(0, -1) : word).toLowerCase(),
    );
  });

  it("is refused where the options are no object, or an image is for a file", async () => {
    expect(await rejection(() => connect(":memory:", null as never))).toBeInstanceOf(TypeError);
    expect(await rejection(() => connect(":memory:", 5 as never))).toBeInstanceOf(TypeError);
    const image = openEngine().serialize();
    expect(await rejection(() => connect("file.db", { image }))).toBeInstanceOf(TypeError);
  });

  it("may be Infinity where there need be no end", async () => {
    const db = await open(":memory:", { maxQueue: Number.POSITIVE_INFINITY });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("may be undefined, which is its default", async () => {
    const db = await open(":memory:", {
      iterChunkSize: undefined,
      timeout: undefined,
      isolationLevel: undefined,
      pragmas: undefined,
      createWorker: undefined,
      signal: undefined,
    });
    expect(db.isolationLevel).toBe("DEFERRED");
    expect((await db.cursor()).iterChunkSize).toBe(64);
  });
});

describe("pragmas", () => {
  it("by default check foreign keys, sync fully and trust no schema", async () => {
    const path = await temporaryPath();
    const db = await open(path);
    expect(await pragma(db, "foreign_keys")).toBe(1);
    expect(await pragma(db, "synchronous")).toBe(2);
    expect(await pragma(db, "trusted_schema")).toBe(0);
    await db.execute("PRAGMA journal_mode = WAL");
    await db.executescript("CREATE TABLE t (x)");
    expect(await pragma(db, "synchronous")).toBe(2);
  });

  it("sync fully also where the file is in WAL mode already, or becomes so by an option", async () => {
    const path = await temporaryPath();
    openEngine(path).exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    const there = await open(path);
    await there.executeFetchall("SELECT * FROM t");
    expect(await pragma(there, "journal_mode")).toBe("wal");
    expect(await pragma(there, "synchronous")).toBe(2);
    const made = await open(await temporaryPath(), { pragmas: { journal_mode: "WAL" } });
    await made.executescript("CREATE TABLE t (x)");
    expect(await pragma(made, "journal_mode")).toBe("wal");
    expect(await pragma(made, "synchronous")).toBe(2);
  });

  it("are applied in their order, after the defaults", async () => {
    const db = await open(await temporaryPath(), {
      pragmas: {
        page_size: 8192,
        journal_mode: "WAL",
        synchronous: "NORMAL",
        foreign_keys: false,
        cache_size: -512,
        trusted_schema: true,
        "main.user_version": 7,
      },
    });
    expect(await pragma(db, "page_size")).toBe(8192);
    expect(await pragma(db, "journal_mode")).toBe("wal");
    expect(await pragma(db, "synchronous")).toBe(1);
    expect(await pragma(db, "foreign_keys")).toBe(0);
    expect(await pragma(db, "cache_size")).toBe(-512);
    expect(await pragma(db, "trusted_schema")).toBe(1);
    expect(await pragma(db, "user_version")).toBe(7);
  });

  it("wait for another connection's lock when the database is opened", async () => {
    const path = await temporaryPath();
    const other = openEngine(path);
    other.exec("CREATE TABLE t (x); BEGIN EXCLUSIVE");
    const opening = open(path, { pragmas: { user_version: 3 } });
    const impatient = rejection(connect(path, { timeout: 50, pragmas: { user_version: 4 } }));
    expect(await impatient).toMatchObject({ name: "OperationalError", code: "SQLITE_BUSY" });
    other.exec("COMMIT");
    expect(await pragma(await opening, "user_version")).toBe(3);
  });
});

describe("the engine", () => {
  const require = createRequire(new URL("../../../worker/package.json", import.meta.url));

  it("can be another module, by URL or by path", async () => {
    const url = new URL("../fixtures/engine.mjs", import.meta.url);
    for (const engine of [url, url.href, join(import.meta.dirname, "../fixtures/engine.mjs")]) {
      const db = await open(":memory:", { engine });
      expect(await db.executeFetchall("SELECT engine()")).toEqual([["mine"]]);
    }
  });

  it("can be a module that awaits when it is loaded", async () => {
    const db = await open(":memory:", { engine: new URL("../fixtures/engine-later.mjs", import.meta.url) });
    expect(await db.executeFetchall("SELECT engine()")).toEqual([["mine"]]);
  });

  it("that cannot load extensions does without the native companion", async () => {
    const engine = new URL("../fixtures/engine-without-extensions.mjs", import.meta.url);
    const db = await open(":memory:", { engine });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
    const error = (await rejection(db.setAuthorizer(() => 0))) as Error;
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error.message).toContain(off ?? "which this engine cannot load as an extension");
  });

  it("does without the native companion in a thread that does not find it", async () => {
    const execArgv = ["--import", new URL("../fixtures/no-native.mjs", import.meta.url).href];
    const db = await open(":memory:", {
      createWorker: (url, options) => new Worker(url, { ...options, execArgv }),
    });
    expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
    const error = (await rejection(db.setAuthorizer(() => 0))) as Error;
    expect(error).toBeInstanceOf(NotSupportedError);
    const why = off ?? "which is not installed: npm install @sqlite-aio/native";
    expect(error.message).toBe(`setAuthorizer() needs the package @sqlite-aio/native, ${why}`);
  });

  it("that is interrupted when it is asked for the count of changes is asked again", async () => {
    const engine = new URL("../fixtures/engine-interrupted.mjs", import.meta.url);
    const db = await open(":memory:", { engine, isolationLevel: null });
    await db.execute("CREATE TABLE t (a)");
    const before = db.totalChanges;
    expect((await db.execute("INSERT INTO t VALUES (interrupt_next())")).rowcount).toBe(1);
    expect(db.totalChanges).toBe(before);
    await db.execute("SELECT 1");
    expect(db.totalChanges).toBe(before + 1);
  });

  it("that quotes a key in its error does not tell it on", async () => {
    const engine = new URL("../fixtures/engine-chatty.mjs", import.meta.url);
    const error = await rejection(connect(":memory:", { engine, pragmas: { key: "top secret" } }));
    expect(error).toMatchObject({
      code: "SQLITE_ERROR",
      message: "the message quotes a key and is withheld",
    });
    expect(inspect(error, { depth: 5 })).not.toContain("top secret");
  });

  it("can be a CommonJS module, by URL, path or name", async () => {
    const path = require.resolve("better-sqlite3");
    for (const engine of [pathToFileURL(path), path, "better-sqlite3"]) {
      const db = await open(":memory:", { engine });
      expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
    }
  });

  it("must be there, and have a Database class", async () => {
    for (const [engine, text] of [
      ["no-such-engine", "no-such-engine"],
      [new URL("../fixtures/no-default.mjs", import.meta.url), "exports no Database class"],
    ] as const) {
      const error = await rejection(connect(":memory:", { engine }));
      expect(error).toMatchObject({ message: expect.stringContaining(text), cause: expect.any(Error) });
    }
  });
});

describe("maxQueue", () => {
  it("refuses the calls beyond it, at once, and those only", async () => {
    const db = await open(":memory:", { maxQueue: 4 });
    await db.executescript("CREATE TABLE t (x)");
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, x) => db.execute("INSERT INTO t VALUES (?)", [x])),
    );
    const refused = results.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(refused).toHaveLength(6);
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(QueueFullError);
      expect(reason).toMatchObject({
        sql: "INSERT INTO t VALUES (?)",
        message: expect.stringContaining("4 calls"),
      });
    }
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[0], [1], [2], [3]]);
    await db.commit();
  });

  it("counts those that wait for a transaction, and lets the transaction end", async () => {
    const db = await open(":memory:", { maxQueue: 2 });
    await db.executescript("CREATE TABLE t (x)");
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const transaction = db.transaction(async (tx) => {
      await released;
      await tx.execute("INSERT INTO t VALUES (1)");
    });
    const waiting = db.execute("INSERT INTO t VALUES (2)");
    const second = db.execute("INSERT INTO t VALUES (3)");
    expect(await rejection(db.execute("INSERT INTO t VALUES (4)"))).toBeInstanceOf(QueueFullError);
    // Calls of the transaction itself do not wait.
    release();
    await transaction;
    await Promise.all([waiting, second]);
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1], [2], [3]]);
  });

  it("refuses no half of an executeInsert", async () => {
    const db = await open(":memory:", { maxQueue: 1 });
    await db.executescript("CREATE TABLE t (x UNIQUE)");
    expect(await db.executeInsert("INSERT INTO t VALUES (1)")).toEqual([1]);
    expect(await rejection(db.executeInsert("INSERT INTO t VALUES (1)"))).toMatchObject({
      name: "IntegrityError",
    });
  });

  it("leaves executemany, cursors and closing to themselves", async () => {
    const db = await open(":memory:", { maxQueue: 1 });
    await db.executescript("CREATE TABLE t (x)");
    const sets = Array.from({ length: 2500 }, (_, x) => [x]);
    expect((await db.executemany("INSERT INTO t VALUES (?)", sets)).rowcount).toBe(2500);
    let rows = 0;
    for await (const row of db.execute("SELECT x FROM t")) rows += row.length;
    expect(rows).toBe(2500);
    void db.commit();
    await db.close();
  });
});
