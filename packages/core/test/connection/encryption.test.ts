import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect, promisify } from "node:util";
import {
  connect,
  type Connection,
  type ConnectOptions,
  createPool,
  DatabaseError,
  OperationalError,
  type PoolOptions,
  SqliteError,
} from "@sqlite-aio/core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Engine, open, rejection, temporaryPath } from "../support/database.ts";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const engine = pathToFileURL(require.resolve("better-sqlite3-multiple-ciphers"));
const Database = require("better-sqlite3-multiple-ciphers") as new (
  path: string,
) => Pick<Engine, "exec" | "close">;

const KEY = "correct horse's battery";
const WRONG = "wrong-horse-staple";

/** The default derives a key in a tenth of a second, which is too much for a test that opens often. */
const sqlcipher = { cipher: "sqlcipher", kdf_iter: 4000 };

function keyed(key = KEY, options: ConnectOptions = {}): ConnectOptions {
  return { engine, isolationLevel: null, pragmas: { ...sqlcipher, key }, ...options };
}

/** The path of an encrypted database with one row. */
async function encrypted(): Promise<string> {
  const path = await temporaryPath();
  const db = new Database(path);
  for (const [name, value] of Object.entries(sqlcipher)) db.exec(`PRAGMA ${name} = ${value}`);
  db.exec(`PRAGMA key = '${KEY.replace("'", "''")}'`);
  db.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 'plain')");
  db.close();
  return path;
}

async function notes(db: Connection): Promise<unknown[]> {
  return await db.executeFetchall("SELECT text FROM note");
}

/** All that an error shows of itself. */
function shown(error: unknown): string {
  const { stack, cause } = error as Error;
  return [inspect(error, { depth: 10, showHidden: true }), stack, (cause as Error | undefined)?.stack].join(
    "\n",
  );
}

describe("a database that is encrypted", () => {
  it("has nothing in its file that can be read", async () => {
    const bytes = await readFile(await encrypted(), "latin1");
    expect(bytes.slice(0, 15)).not.toBe("SQLite format 3");
    expect(bytes).not.toContain("plain");
  });

  it("opens with its key, whatever else the pragmas say and in whichever order", async () => {
    const path = await encrypted();
    const pragmas = { journal_mode: "wal", key: KEY, cache_size: -100, ...sqlcipher };
    const db = await open(path, keyed(KEY, { pragmas }));
    expect(await notes(db)).toEqual([["plain"]]);
    expect(await db.executeFetchall("PRAGMA journal_mode")).toEqual([["wal"]]);
  });

  it("opens with what its key was derived with, which is set before the key", async () => {
    const path = await temporaryPath();
    const pragmas = { key: KEY, kdf_iter: 1000, cipher: "chacha20" };
    {
      await using db = await connect(path, keyed(KEY, { pragmas }));
      await db.executescript("CREATE TABLE note (text); INSERT INTO note VALUES ('stirred')");
    }
    expect(await notes(await open(path, keyed(KEY, { pragmas })))).toEqual([["stirred"]]);
    const other = { ...pragmas, kdf_iter: 1001 };
    expect(await rejection(connect(path, keyed(KEY, { pragmas: other })))).toBeInstanceOf(DatabaseError);
  });

  it("is no database to a wrong key, to none, and to the stock engine", async () => {
    const path = await encrypted();
    for (const options of [keyed(WRONG), { engine }, {}]) {
      const error = await rejection(connect(path, options));
      expect(error).toBeInstanceOf(DatabaseError);
      const message = `file is not a database: ${path} (it is no SQLite file, or it is encrypted)`;
      expect(error).toMatchObject({ code: "SQLITE_NOTADB", message });
      expect(shown(error)).not.toContain(WRONG);
    }
  });

  it("has the engine named as a package of the application", async () => {
    const program = `
      import("@sqlite-aio/core").then(async ({ connect }) => {
        const pragmas = ${JSON.stringify({ ...sqlcipher, key: KEY })};
        const engine = "better-sqlite3-multiple-ciphers";
        const db = await connect(${JSON.stringify(await encrypted())}, { engine, pragmas });
        console.log(JSON.stringify(await db.executeFetchall("SELECT text FROM note")));
        await db.close();
      });
    `;
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const { stdout } = await run(process.execPath, ["--eval", program], { cwd });
    expect(stdout).toBe('[["plain"]]\n');
  });
});

describe("rekey", () => {
  it("changes the key", async () => {
    const path = await encrypted();
    {
      await using db = await connect(path, keyed());
      await db.execute("PRAGMA rekey = 'next'");
    }
    expect(await notes(await open(path, keyed("next")))).toEqual([["plain"]]);
    expect(await rejection(connect(path, keyed()))).toMatchObject({ code: "SQLITE_NOTADB" });
  });

  it("encrypts a plain database, and decrypts it", async () => {
    const path = await temporaryPath();
    {
      await using db = await connect(path, { engine, pragmas: sqlcipher });
      await db.executescript("CREATE TABLE note (text); INSERT INTO note VALUES ('plain')");
      await db.execute(`PRAGMA rekey = '${KEY.replace("'", "''")}'`);
    }
    {
      await using db = await connect(path, keyed());
      expect(await notes(db)).toEqual([["plain"]]);
      await db.execute("PRAGMA rekey = ''");
    }
    expect(await notes(await open(path))).toEqual([["plain"]]);
  });
});

describe("a pool over an encrypted database", () => {
  async function openPool(path: string, options: PoolOptions) {
    const pool = await createPool(path, options);
    onTestFinished(() => pool.close());
    return pool;
  }

  it("gives every reader and the writer the key, also those that are opened afresh", async () => {
    const pool = await openPool(await encrypted(), { ...keyed(), readers: 2 });
    await pool.run("INSERT INTO note (text) VALUES ('second')");
    const count = "SELECT count(*) AS n FROM note";
    {
      await using one = await pool.acquire({ mode: "read" });
      await using two = await pool.acquire({ mode: "read" });
      expect(pool.stats()).toMatchObject({ readers: 2, writers: 1 });
      expect([await one.executeFetchall(count), await two.executeFetchall(count)]).toEqual([[[2]], [[2]]]);
    }
    {
      await using lease = await pool.acquire();
      await lease.execute("CREATE TEMP TABLE note (text)");
    }
    await pool.run("INSERT INTO note (text) VALUES ('third')");
    expect(await pool.get(count)).toEqual({ n: 3 });
  });

  it("does not open with a wrong key, and says so without it", async () => {
    const error = await rejection(createPool(await encrypted(), keyed(WRONG)));
    expect(error).toMatchObject({ name: "DatabaseError", code: "SQLITE_NOTADB" });
    expect(shown(error)).not.toContain(WRONG);
  });
});

describe("copies of an encrypted database", () => {
  it("VACUUM INTO makes a file with the same key", async () => {
    const copy = await temporaryPath("copy.db");
    const db = await open(await encrypted(), keyed());
    await db.execute("VACUUM INTO ?", [copy]);
    expect((await readFile(copy, "latin1")).slice(0, 15)).not.toBe("SQLite format 3");
    expect(await notes(await open(copy, keyed()))).toEqual([["plain"]]);
  });

  it("backup() is refused, since its target would have no key", async () => {
    const db = await open(await encrypted(), keyed());
    const error = await rejection(db.backup(await temporaryPath("copy.db")));
    expect(error).toBeInstanceOf(OperationalError);
    expect(error).toMatchObject({
      message: "backup is not supported with incompatible source and target databases",
    });
  });

  it("serialize() gives the contents decrypted", async () => {
    const db = await open(await encrypted(), keyed());
    const image = await db.serialize();
    expect(Buffer.from(image.subarray(0, 15)).toString()).toBe("SQLite format 3");
    expect(await notes(await open(":memory:", { image }))).toEqual([["plain"]]);
  });
});

describe("a key", () => {
  let shared: Connection;
  beforeAll(async () => {
    shared = await connect(":memory:", { engine, isolationLevel: null });
  });
  afterAll(() => shared.close());

  it.each([
    ["a pragma", `PRAGMA rekey = '${WRONG}' nonsense`, "PRAGMA rekey = ***"],
    ["a pragma in brackets", `PRAGMA main . "ReKey" ( '${WRONG}' ) `, 'PRAGMA main . "ReKey" ( *** ) '],
    ["a text that does not end", `PRAGMA rekey = '${WRONG}`, "PRAGMA rekey = ***"],
    ["words without quotes", `PRAGMA rekey = ${WRONG}`, "PRAGMA rekey = ***"],
    ["a blob that is none", `PRAGMA rekey = x'${WRONG}'`, "PRAGMA rekey = ***"],
    ["hexadecimal digits that are none", `PRAGMA /* k */ hexrekey='${WRONG}'`, "PRAGMA /* k */ hexrekey=***"],
    ["ATTACH", `ATTACH '/no/where.db' AS key KEY '${WRONG}'`, "ATTACH '/no/where.db' AS key KEY ***"],
    ["a name in ATTACH", `ATTACH ':memory:' AS a KEY "${WRONG}"(1)`, "ATTACH ':memory:' AS a KEY ***"],
    ["a file name", `ATTACH 'file:/no/a?key=${WRONG}&x=1' AS a`, "ATTACH 'file:/no/a?key=***&x=1' AS a"],
  ])("in %s is not in the error of the statement", async (_, sql, told) => {
    const error = await rejection(shared.executeFetchall(sql));
    expect(error).toBeInstanceOf(SqliteError);
    expect((error as SqliteError).sql).toBe(told);
    expect(shown(error)).not.toContain(WRONG);
    expect(shown(error)).not.toMatch(/near "-"|wrong|staple/);
  });

  it("is hidden in a script, beside the rest of it", async () => {
    const db = await open(await temporaryPath(), { engine });
    const script = `CREATE TABLE k (key PRIMARY KEY); PRAGMA rekey = 'a;b' ; INSERT INTO k VALUES ('key = x'); oops`;
    const error = (await rejection(db.executescript(script))) as SqliteError;
    expect(error.message).toBe('near "oops": syntax error');
    expect(error.sql).toBe(script.replace("'a;b'", "***"));
  });

  it("is hidden from the trace callback, also where it is a parameter", async () => {
    const db = await open(await temporaryPath(), keyed());
    const seen: string[] = [];
    await db.setTraceCallback((sql) => seen.push(sql));
    await db.execute("PRAGMA rekey = 'next'");
    await db.execute("ATTACH ? AS other KEY ?", [":memory:", "next"]);
    await db.executescript("PRAGMA rekey('last'); SELECT 1");
    expect(seen).toEqual([
      "PRAGMA rekey = ***",
      "ATTACH ':memory:' AS other KEY ***",
      "PRAGMA rekey(***);",
      "SELECT 1",
    ]);
  });

  it("that the engine refuses while opening is not in the error", async () => {
    const pragmas = { cipher: "sqlcipher", hexkey: WRONG };
    const error = await rejection(connect(await temporaryPath(), { engine, pragmas }));
    expect(error).toMatchObject({ name: "OperationalError", message: "Malformed hex string" });
    expect(shown(error)).not.toContain(WRONG);
  });

  it("is not in what a connection or a pool shows of itself", async () => {
    const path = await encrypted();
    const db = await open(path, keyed());
    const pool = await createPool(path, keyed());
    onTestFinished(() => pool.close());
    const text = inspect([db, pool, pool.stats()], { depth: 20, showHidden: true });
    expect(text).toContain("Connection");
    expect(text).not.toContain("horse");
  });
});
