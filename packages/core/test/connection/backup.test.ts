import { rmSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import {
  connect,
  type Connection,
  ConnectionClosedError,
  type ConnectOptions,
  DatabaseError,
  OperationalError,
  ProgrammingError,
  Row,
  WorkerCrashedError,
} from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { open, openEngine, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";

const DEADLY = new URL("../fixtures/deadly.mjs", import.meta.url);

type Step = [status: number, remaining: number, total: number];

/** A connection to a file with a table of `rows` rows, one per page. */
async function filled(rows: number, database?: string, options?: ConnectOptions): Promise<Connection> {
  const db = await open(database ?? (await temporaryPath("source.db")), options);
  await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  await db.executemany(
    "INSERT INTO t VALUES (?, zeroblob(3500))",
    Array.from({ length: rows }, (_, i) => [i] as [number]),
  );
  await db.commit();
  return db;
}

const count = async (db: Connection): Promise<number> =>
  (await db.executeFetchall("SELECT count(*) FROM t"))[0]?.[0];
const countIn = (path: string): unknown => openEngine(path).prepare("SELECT count(*) FROM t").pluck().get();

describe("backup", () => {
  it("to a path writes the database there, whether or not there was one", async () => {
    const db = await filled(20);
    const path = await temporaryPath("copy.db");
    await db.backup(path);
    expect(countIn(path)).toBe(20);
    await db.execute("DELETE FROM t WHERE id > 4");
    await db.commit();
    await db.backup(path);
    const copy = openEngine(path);
    expect(copy.prepare("SELECT count(*) FROM t").pluck().get()).toBe(5);
    expect(copy.pragma("integrity_check", { simple: true })).toBe("ok");
  });

  it.each([":memory:", "", "file"])("to another connection (%j) replaces what it held", async (kind) => {
    const db = await filled(20);
    const target = await open(kind === "file" ? await temporaryPath("target.db") : kind);
    await target.executescript("CREATE TABLE before (a); INSERT INTO before VALUES (1)");
    target.rowFactory = Row;
    await target.createFunction("twice", 1, (x: number) => 2 * x);
    expect(await target.executeFetchall("SELECT * FROM sqlite_schema")).toHaveLength(1);
    await db.backup(target);
    expect(await target.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([{ name: "t" }]);
    expect(await target.executeFetchall("SELECT count(*) AS n, twice(21) AS f FROM t")).toEqual([
      { n: 20, f: 42 },
    ]);
    await target.execute("INSERT INTO t (a) VALUES ('own')");
    await target.commit();
    expect(await count(db)).toBe(20);
    // And back again.
    await target.backup(db);
    expect(await count(db)).toBe(21);
  });

  it("from memory to memory, and of an empty database", async () => {
    const db = await filled(3, ":memory:");
    const target = await open();
    await db.backup(target);
    expect(await count(target)).toBe(3);
    const steps: Step[] = [];
    const empty = await open();
    await empty.backup(target, { progress: (...step) => void steps.push(step) });
    expect(await target.executeFetchall("SELECT * FROM sqlite_schema")).toEqual([]);
    // As in CPython.
    expect(steps).toEqual([[101, 0, 0]]);
  });

  it("of a database in WAL mode takes along what is in the log only", async () => {
    const path = await temporaryPath();
    const db = await open(path, { pragmas: { journal_mode: "wal", wal_autocheckpoint: 0 } });
    await db.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    const copy = await temporaryPath();
    await db.backup(copy);
    expect(countIn(copy)).toBe(2);
    const memory = await open();
    await db.backup(memory);
    expect(await count(memory)).toBe(2);
    await memory.execute("INSERT INTO t VALUES (3)");
    await memory.commit();
    const file = await open(await temporaryPath(), { pragmas: { journal_mode: "wal" } });
    await db.backup(file);
    expect(await count(file)).toBe(2);
    await file.execute("INSERT INTO t VALUES (3)");
    await file.commit();
    expect(await file.executeFetchall("PRAGMA journal_mode")).toEqual([["wal"]]);
  });

  it("copies `pages` at a time and tells progress the status, what remains and the total, as CPython does", async () => {
    const db = await filled(28);
    const [[total]] = (await db.executeFetchall("PRAGMA page_count")) as [[number]];
    const target = await open();
    const run = async (pages?: number): Promise<Step[]> => {
      const steps: Step[] = [];
      await db.backup(target, {
        ...(pages === undefined ? {} : { pages }),
        progress: (...step) => void steps.push(step),
      });
      expect(await count(target)).toBe(28);
      return steps;
    };
    const expected: Step[] = [];
    for (let left = total - 10; left > 0; left -= 10) expected.push([0, left, total]);
    expect(expected.length).toBeGreaterThan(1);
    expect(await run(10)).toEqual([...expected, [101, 0, total]]);
    for (const pages of [undefined, 0, -1, 1000]) expect(await run(pages)).toEqual([[101, 0, total]]);
    expect(await run(1)).toHaveLength(total);
  });

  it("goes on in steps between which the connection answers, reads and writes", async () => {
    const db = await filled(200);
    const path = await temporaryPath("copy.db");
    const order: string[] = [];
    let steps = 0;
    const cursor = await db.execute("SELECT id FROM t");
    const backup = db
      .backup(path, {
        pages: 1,
        progress: () => {
          steps++;
        },
      })
      .then(() => order.push("backup"));
    for (let i = 0; i < 5; i++) {
      await db.execute("INSERT INTO t (a) VALUES ('meanwhile')");
      await db.commit();
      expect(await cursor.fetchmany(20)).toHaveLength(20);
      order.push(`write after ${steps > 0 ? "some" : "no"} steps`);
    }
    await backup;
    expect(order.at(-1)).toBe("backup");
    expect(steps).toBeGreaterThan(200);
    // Writes of the connection itself go into the copy too.
    expect(countIn(path)).toBe(205);
    expect(openEngine(path).pragma("integrity_check", { simple: true })).toBe("ok");
  });

  it("waits for the connection's own transaction, and does not take it for the end", async () => {
    const db = await filled(5);
    const path = await temporaryPath("copy.db");
    await db.execute("INSERT INTO t (a) VALUES ('open')");
    const steps: Step[] = [];
    let busy!: () => void;
    const met = new Promise<void>((resolve) => (busy = resolve));
    const backup = db.backup(path, {
      sleep: 1,
      progress: (...step) => {
        steps.push(step);
        busy();
      },
    });
    await met;
    expect(steps[0]).toEqual([5, 0, 0]);
    await db.commit();
    await backup;
    expect(steps.at(-1)?.[0]).toBe(101);
    expect(countIn(path)).toBe(6);
  });

  it("gives up on a lock when the connection's timeout is over", async () => {
    const path = await temporaryPath("source.db");
    const db = await open(path, { timeout: 30 });
    await db.executescript("CREATE TABLE t (a)");
    await db.execute("INSERT INTO t VALUES (1)");
    const error = await rejection(db.backup(await temporaryPath("copy.db"), { sleep: 10 }));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ code: "SQLITE_BUSY", message: "database is locked" });
    await db.commit();
    // The lock of another connection on the target.
    const copy = await temporaryPath("copy.db");
    const other = openEngine(copy);
    other.exec("CREATE TABLE x (a); BEGIN IMMEDIATE");
    const statuses = new Set<number>();
    const locked = db.backup(copy, { sleep: 5, progress: (status) => void statuses.add(status) });
    expect(await rejection(locked)).toMatchObject({ code: "SQLITE_BUSY" });
    expect([...statuses]).toEqual([5]);
    other.exec("COMMIT");
    await db.backup(copy);
    expect(countIn(copy)).toBe(1);
  });

  it("waits for a lock that another connection takes on the source half way", async () => {
    const path = await temporaryPath("source.db");
    const db = await filled(30, path);
    const other = openEngine(path);
    const copy = await temporaryPath("copy.db");
    const steps: Step[] = [];
    await db.backup(copy, {
      pages: 10,
      sleep: 2,
      progress: (...step) => {
        steps.push(step);
        if (steps.length === 1) other.exec("BEGIN EXCLUSIVE");
        if (step[0] === 5 && other.inTransaction) other.exec("COMMIT");
      },
    });
    expect(steps.map(([status]) => status)).toEqual([0, 5, 0, 0, 101]);
    expect(countIn(copy)).toBe(30);
  });

  it("gives up on a lock that is there at the start or comes half way, after the timeout", async () => {
    const path = await temporaryPath("source.db");
    const db = await filled(30, path, { timeout: 60 });
    const other = openEngine(path);
    other.exec("BEGIN EXCLUSIVE");
    const before: Step[] = [];
    const progress = (...step: Step): void => void before.push(step);
    expect(await rejection(db.backup(await temporaryPath(), { sleep: 10, progress }))).toMatchObject({
      code: "SQLITE_BUSY",
    });
    expect(new Set(before.map(String))).toEqual(new Set(["5,0,0"]));
    other.exec("COMMIT");
    const steps: Step[] = [];
    const halfWay = db.backup(await temporaryPath(), {
      pages: 10,
      sleep: 10,
      progress: (...step) => {
        steps.push(step);
        if (steps.length === 1) other.exec("BEGIN EXCLUSIVE");
      },
    });
    expect(await rejection(halfWay)).toMatchObject({ code: "SQLITE_BUSY", message: "database is locked" });
    expect(new Set(steps.map(String))).toEqual(new Set(["0,22,32", "5,22,32"]));
    other.exec("COMMIT");
    const copy = await temporaryPath("copy.db");
    await db.backup(copy);
    expect(countIn(copy)).toBe(30);
  });

  // On Windows an open file cannot be deleted.
  it.skipIf(process.platform === "win32")("starts again where the file was deleted half way", async () => {
    const db = await filled(30);
    const copy = await temporaryPath("copy.db");
    const steps: Step[] = [];
    await db.backup(copy, {
      pages: 20,
      sleep: 1,
      progress: (...step) => {
        steps.push(step);
        if (steps.length === 1) rmSync(copy);
      },
    });
    expect(steps.map(([status]) => status)).toEqual([0, 5, 0, 101]);
    expect(countIn(copy)).toBe(30);
  });

  it("rejects where the source dies while the target is in use by a transaction", async () => {
    const source = await open();
    await source.createFunction("die", 0, DEADLY, { export: "die" });
    const target = await open();
    const dead = rejection(source.execute("SELECT die()"));
    const busy = gate();
    const transaction = target.transaction(() => busy.opened);
    const backup = rejection(source.backup(target));
    expect(await dead).toBeInstanceOf(WorkerCrashedError);
    busy.open();
    await transaction;
    expect(await backup).toBeInstanceOf(WorkerCrashedError);
    expect(await target.executeFetchall("SELECT 1")).toEqual([[1]]);
  });

  it("that progress throws out of is abandoned, and rejects with what it threw", async () => {
    const db = await filled(50);
    const path = await temporaryPath("copy.db");
    const failure = new Error("enough");
    let steps = 0;
    const error = await rejection(
      db.backup(path, {
        pages: 5,
        progress: () => {
          if (++steps === 3) throw failure;
        },
      }),
    );
    expect([error, steps]).toEqual([failure, 3]);
    const target = await open();
    expect(
      await rejection(
        db.backup(target, {
          progress: () => {
            throw failure;
          },
        }),
      ),
    ).toBe(failure);
    expect(await target.executeFetchall("SELECT * FROM sqlite_schema")).toEqual([]);
    // Both go on.
    expect(await count(db)).toBe(50);
    await db.backup(target);
    expect(await count(target)).toBe(50);
  });

  it("is given up by its signal, with the signal's reason, or after its timeout", async () => {
    const db = await filled(50);
    const path = await temporaryPath("copy.db");
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    let steps = 0;
    const aborted = db.backup(path, {
      pages: 1,
      signal: controller.signal,
      progress: () => {
        if (++steps === 10) controller.abort(reason);
      },
    });
    expect(await rejection(aborted)).toBe(reason);
    expect(steps).toBe(10);
    expect(await rejection(db.backup(path, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    await db.execute("INSERT INTO t (a) VALUES (1)");
    const late = await rejection(db.backup(path, { timeout: 20, sleep: 1 }));
    expect(late).toMatchObject({ code: "SQLITE_INTERRUPT" });
  });

  it("into memory leaves nothing in the folder for temporary files, whether or not it succeeds", async () => {
    const folder = await temporaryFolder();
    for (const name of ["TMPDIR", "TMP", "TEMP"]) vi.stubEnv(name, folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const [source, target] = [await open(), await open()];
    await source.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await source.backup(target);
    expect(await target.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
    const progress = (): never => {
      throw new Error("enough");
    };
    await expect(source.backup(target, { progress })).rejects.toThrow("enough");
    expect(await readdir(folder)).toEqual([]);
  });

  it("into a connection with an open transaction is refused, as is one into itself", async () => {
    const db = await filled(5);
    for (const target of [await open(), await open(await temporaryPath())]) {
      await target.executescript("CREATE TABLE t (a)");
      await target.execute("INSERT INTO t VALUES (1)");
      const error = await rejection(db.backup(target));
      expect(error).toBeInstanceOf(OperationalError);
      expect((error as Error).message).toBe("target is in transaction");
      await target.commit();
      expect(await count(target)).toBe(1);
      await db.backup(target);
      expect(await count(target)).toBe(5);
    }
    const self = await rejection(db.backup(db));
    expect(self).toBeInstanceOf(ProgrammingError);
    expect((self as Error).message).toBe("target cannot be the same connection instance");
  });

  it("keeps others from the target until it is done", async () => {
    const db = await filled(40);
    const target = await open(await temporaryPath());
    const backup = db.backup(target, { pages: 1 });
    // Made before the backup has begun, answered when it is over.
    const rows = target.executeFetchall("SELECT count(*) FROM t");
    expect(await rows).toEqual([[40]]);
    await backup;
  });

  it("into memory is not begun on a target whose thread has died while the source was locked", async () => {
    const path = await temporaryPath("source.db");
    const db = await filled(30, path);
    const other = openEngine(path);
    let worker!: Worker;
    const target = await open(":memory:", {
      createWorker: (url, options) => (worker = new Worker(url, options)),
    });
    let died = false;
    // The connection is told of it first.
    worker.once("exit", () => setImmediate(() => (died = true)));
    const error = await rejection(
      db.backup(target, {
        pages: 10,
        sleep: 2,
        progress: (status) => {
          if (status === 0 && !other.inTransaction && !died) {
            other.exec("BEGIN EXCLUSIVE");
            void worker.terminate();
          }
          if (status === 5 && died && other.inTransaction) other.exec("COMMIT");
        },
      }),
    );
    expect(error).toMatchObject({ name: "WorkerCrashedError", outcome: "not-started" });
    expect(await count(db)).toBe(30);
  });

  it("into memory that cannot be opened again leaves a connection without a database", async () => {
    const db = await filled(3);
    const module = `let times = 0;
      export default () => {
        if (++times > 1) throw new RangeError("only once");
      }`;
    const target = await open(":memory:", { setup: new URL(`data:text/javascript,${encodeURI(module)}`) });
    expect(await rejection(db.backup(target))).toMatchObject({ message: "only once" });
    for (const call of [() => target.execute("SELECT 1"), () => target.commit()]) {
      const error = await rejection(call);
      expect(error).toBeInstanceOf(ConnectionClosedError);
      expect(error).toMatchObject({ message: "Connection closed", code: "SQLITE_AIO_CLOSED" });
    }
    await target.close();
    expect(await count(db)).toBe(3);
  });

  it("into each other is done one after the other", async () => {
    const a = await filled(3);
    const b = await filled(5);
    await Promise.all([a.backup(b), b.backup(a)]);
    expect([await count(a), await count(b)]).toEqual([3, 3]);
  });

  it("can be of an attached or the temporary database", async () => {
    const db = await open();
    await db.execute('ATTACH \':memory:\' AS "oth""er"');
    await db.executescript('CREATE TABLE "oth""er".t (a); INSERT INTO t VALUES (1); CREATE TEMP TABLE u (a)');
    const target = await open();
    await db.backup(target, { name: 'oth"er' });
    expect(await count(target)).toBe(1);
    await db.backup(target, { name: "temp" });
    expect(await target.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["u"]]);
    const error = await rejection(db.backup(target, { name: "nope" }));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toBe("unknown database nope");
  });

  it("checks its arguments", async () => {
    const db = await open();
    const target = await open();
    const wrong: [unknown, unknown?][] = [
      [5],
      [null],
      [""],
      [":memory:"],
      ["a\0b"],
      ["file:x?mode=ro"],
      [target, { pages: 1.5 }],
      [target, { progress: 5 }],
      [target, { name: "" }],
      [target, { sleep: -1 }],
      [target, 5],
    ];
    for (const [to, options] of wrong) {
      const error = await rejection(db.backup(to as string, options as object));
      expect(error instanceof TypeError || error instanceof RangeError, String(to)).toBe(true);
    }
    const error = await rejection(db.backup(join(await temporaryFolder(), "missing", "copy.db")));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as Error).message).toMatch(
      /^unable to open database file: .*copy\.db \(its folder does not exist\)$/,
    );
  });

  it("is finished by close(), and refused after it", async () => {
    const db = await filled(60);
    const path = await temporaryPath("copy.db");
    const backup = db.backup(path, { pages: 1, progress: () => {} });
    await db.close();
    await backup;
    expect(countIn(path)).toBe(60);
    expect(await rejection(db.backup(path))).toBeInstanceOf(ConnectionClosedError);
    const other = await open();
    expect(await rejection(other.backup(db))).toBeInstanceOf(ConnectionClosedError);
  });
});

describe("serialize and image", () => {
  it("give a database as bytes and take it again", async () => {
    for (const path of [":memory:", await temporaryPath()]) {
      const db = await filled(10, path);
      const image = await db.serialize();
      expect(image).toBeInstanceOf(Uint8Array);
      expect(Buffer.from(image).toString("latin1", 0, 15)).toBe("SQLite format 3");
      expect(openEngine(Buffer.from(image)).prepare("SELECT count(*) FROM t").pluck().get()).toBe(10);
      const copy = await open(":memory:", { image });
      expect(await count(copy)).toBe(10);
      await copy.execute("INSERT INTO t (a) VALUES (1)");
      await copy.commit();
      expect([await count(copy), await count(db)]).toEqual([11, 10]);
      // The caller's bytes are still there, and unchanged by what the copy wrote.
      expect(image.byteLength).toBeGreaterThan(0);
      expect(await count(await open(":memory:", { image }))).toBe(10);
    }
  });

  it("work for a database in WAL mode too", async () => {
    const db = await open(await temporaryPath(), { pragmas: { journal_mode: "wal" } });
    await db.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const copy = await open(":memory:", { image: await db.serialize() });
    expect(await count(copy)).toBe(1);
    await copy.execute("INSERT INTO t VALUES (2)");
    await copy.commit();
    expect(await count(copy)).toBe(2);
  });

  it("take what is in the open transaction, and are answered in their turn", async () => {
    const db = await filled(1, ":memory:");
    const [, image] = await Promise.all([
      db.execute("INSERT INTO t (a) VALUES (1)"),
      db.serialize(),
      db.execute("INSERT INTO t (a) VALUES (2)"),
    ]);
    expect(await count(await open(":memory:", { image }))).toBe(2);
  });

  it("of a database that is not there say so", async () => {
    const db = await filled(1, ":memory:");
    const error = await rejection(db.serialize({ name: "nowhere" }));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({ message: "unknown database nowhere", code: "SQLITE_ERROR" });
  });

  it("of a readonly image cannot be written to", async () => {
    const image = await (await filled(2, ":memory:")).serialize();
    const db = await open(":memory:", { image, readonly: true });
    expect(await count(db)).toBe(2);
    const error = await rejection(db.execute("DELETE FROM t"));
    expect(error).toBeInstanceOf(OperationalError);
    expect((error as OperationalError).code).toBe("SQLITE_READONLY");
  });

  it("of bytes that are no database are refused before the first use", async () => {
    const image = await (await filled(20, ":memory:")).serialize();
    const truncated = image.slice(0, image.length >> 1);
    const damaged = image.slice();
    damaged.fill(0xff, 4096, 5000);
    const wrong: [string, Uint8Array][] = [
      ["garbage", Buffer.from("this is no database, though it is long enough ".repeat(50))],
      ["truncated", truncated],
      ["damaged", damaged],
      ["a byte", new Uint8Array(1)],
    ];
    for (const [what, bytes] of wrong) {
      const error = await rejection(connect(":memory:", { image: bytes }));
      expect(error, what).toBeInstanceOf(DatabaseError);
      expect((error as DatabaseError).code, what).toMatch(/^SQLITE_(NOTADB|CORRUPT)/);
      expect((error as Error).message, what).toMatch(/not a (sound )?database|malformed/);
    }
    expect(await rejection(connect(":memory:", { image: "bytes" as never }))).toBeInstanceOf(TypeError);
    expect(await rejection(connect("a.db", { image }))).toBeInstanceOf(TypeError);
  });

  it("of an empty image are an empty database", async () => {
    const db = await open(":memory:", { image: new Uint8Array(0) });
    await db.execute("CREATE TABLE t (a)");
    expect(await count(db)).toBe(0);
    expect(await (await open()).serialize()).toBeInstanceOf(Uint8Array);
  });
});

describe("iterdump", () => {
  const script = `
    CREATE TABLE "quo""ted" (id INTEGER PRIMARY KEY AUTOINCREMENT, "a b" TEXT, r REAL, x BLOB);
    INSERT INTO "quo""ted" VALUES (1, 'it''s', 1.5, x'00ff'), (7, NULL, -1e100, NULL);
    CREATE VIEW v AS SELECT 1;
    CREATE TRIGGER tr AFTER INSERT ON "quo""ted" BEGIN SELECT 1; END;
    CREATE INDEX i ON "quo""ted" (r);`;

  it("gives the lines that CPython gives", async () => {
    const db = await open();
    await db.executescript(script);
    const lines: string[] = [];
    for await (const line of db.iterdump()) lines.push(line);
    expect(lines).toEqual([
      "BEGIN TRANSACTION;",
      'CREATE TABLE "quo""ted" (id INTEGER PRIMARY KEY AUTOINCREMENT, "a b" TEXT, r REAL, x BLOB);',
      `INSERT INTO "quo""ted" VALUES(1,'it''s',1.5,X'00FF');`,
      `INSERT INTO "quo""ted" VALUES(7,NULL,-1.0e+100,NULL);`,
      "CREATE VIEW v AS SELECT 1;",
      'CREATE TRIGGER tr AFTER INSERT ON "quo""ted" BEGIN SELECT 1; END;',
      'CREATE INDEX i ON "quo""ted" (r);',
      'DELETE FROM "sqlite_sequence";',
      `INSERT INTO "sqlite_sequence" VALUES('quo"ted',7);`,
      "COMMIT;",
    ]);
  });

  it("restores by executescript", async () => {
    const db = await open();
    await db.executescript(script);
    const dump = async (from: Connection): Promise<string> => {
      const lines: string[] = [];
      for await (const line of from.iterdump()) lines.push(line);
      return lines.join("\n");
    };
    const text = await dump(db);
    const copy = await open();
    await copy.executescript(text);
    expect(await dump(copy)).toBe(text);
  });

  it("is streamed, a chunk at a time, whatever the row factory, and others go on meanwhile", async () => {
    const db = await open(":memory:", { iterChunkSize: 10 });
    db.rowFactory = Row;
    db.textFactory = Buffer;
    await db.executescript("CREATE TABLE a (i); CREATE TABLE b (i)");
    await db.executemany(
      "INSERT INTO a VALUES (?)",
      Array.from({ length: 500 }, (_, i) => [i] as [number]),
    );
    await db.commit();
    const lines = db.iterdump();
    expect((await lines.next()).value).toBe("BEGIN TRANSACTION;");
    // Nothing of b has been read yet.
    await db.execute("INSERT INTO b VALUES ('late')");
    await db.commit();
    const rest: string[] = [];
    for await (const line of lines) {
      rest.push(line);
      if (rest.length === 300)
        expect(await db.executeFetchall("SELECT count(*) AS n FROM a")).toEqual([{ n: 500 }]);
    }
    expect(rest).toContain(`INSERT INTO "b" VALUES('late');`);
    expect(rest.filter((line) => line.startsWith('INSERT INTO "a"'))).toHaveLength(500);
    expect(rest.at(-1)).toBe("COMMIT;");
  });

  it("that is left half way lets go of what it read", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    await db.executescript("CREATE TABLE a (i)");
    await db.executemany(
      "INSERT INTO a VALUES (?)",
      Array.from({ length: 100 }, (_, i) => [i] as [number]),
    );
    await db.commit();
    for await (const line of db.iterdump()) if (line.startsWith("INSERT")) break;
    await db.executescript("DROP TABLE a");
    for await (const line of db.iterdump()) expect(["BEGIN TRANSACTION;", "COMMIT;"]).toContain(line);
  });

  it("rejects where the thread dies before the lines that were asked for are there", async () => {
    const db = await open(":memory:", { iterChunkSize: 5 });
    await db.createFunction("die", 0, DEADLY, { export: "die" });
    await db.executescript("CREATE TABLE a (i)");
    await db.executemany("INSERT INTO a VALUES (?)", [[1], [2], [3], [4], [5], [6]]);
    await db.commit();
    const lines = db.iterdump();
    const first = lines.next();
    const dead = rejection(db.execute("SELECT die()"));
    const seen = [(await first).value];
    expect(await dead).toBeInstanceOf(WorkerCrashedError);
    for (let i = 1; i < 5; i++) seen.push((await lines.next()).value);
    expect(seen).toEqual([
      "BEGIN TRANSACTION;",
      "CREATE TABLE a (i);",
      ...[1, 2, 3].map((i) => `INSERT INTO "a" VALUES(${i});`),
    ]);
    expect(await rejection(lines.next())).toBeInstanceOf(WorkerCrashedError);
  });

  it("rejects on a closed connection and on one that is no database", async () => {
    const path = await temporaryPath();
    await writeFile(path, "this is no database, though it is long enough ".repeat(50));
    const db = await open(path).catch((error: unknown) => error);
    expect(db).toBeInstanceOf(DatabaseError);
    const closed = await open();
    await closed.close();
    expect(await rejection(closed.iterdump().next())).toBeInstanceOf(ConnectionClosedError);
  });
});
