import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Bindable,
  capabilities,
  connect,
  type Connection,
  createPool,
  NotSupportedError,
  type Pool,
  Row,
  SQLITE_ATTACH,
  SQLITE_DENY,
  SQLITE_OK,
  SqliteError,
} from "@sqlite-aio/core";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import { open, openEngine, rejection, temporaryFolder } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";
import { start } from "./child.ts";
import type { FlipReport } from "./image-flips.ts";
import { figure, seed, soak, times, within } from "./scale.ts";
import { quoted } from "./witness.ts";

const IMAGES = times(120, 10_000);
const NAMES = times(80, 8000);

const measured = { names: 0, calls: 0, images: "", failed: false };
let folder: string;

beforeEach(async () => {
  onTestFailed(() => {
    measured.failed = true;
  });
  folder = await temporaryFolder();
});

afterEach(() => {
  if (Object.keys(Object.prototype).length > 0) throw new Error("Object.prototype has got properties");
});

afterAll(() => {
  if (measured.failed) return;
  figure(
    "hostile",
    `${measured.names} names, ${measured.calls} calls, ${measured.images}: an error with a class each, no crash, no file, nothing polluted`,
  );
});

/** An error that tells the caller what was wrong with his call, and is none that something inside has stumbled upon. */
function isClear(error: unknown): boolean {
  if (error instanceof SqliteError)
    return /^SQLITE_\w+$/.test(error.code) && error.message !== "" && error.code !== "SQLITE_OK";
  return (
    (error instanceof TypeError || error instanceof RangeError) &&
    !/undefined|not a function|not iterable|Cannot |Invalid array|clone/i.test(error.message)
  );
}

async function refused(work: () => unknown, what: string): Promise<void> {
  const error = await rejection(work);
  if (!isClear(error)) expect.fail(`${what}: ${String(error)}`);
  measured.calls++;
}

/** Texts that try to break out of the place where they are inserted. */
const hostileNames = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"',
        "'",
        "`",
        "[",
        "]",
        ";",
        "--",
        "/*",
        "*/",
        "\0",
        "\n",
        "\ud800",
        "\udc00",
        "%s",
        "\\",
        "..",
        "/",
        " ",
        "\u2028",
        "__proto__",
        "constructor",
        "; DROP TABLE t; --",
        "' OR 1=1 --",
        "${1}",
        "ﬀ",
        "🙂",
        "a".repeat(300),
      ),
      fc.string({ unit: "binary", maxLength: 6 }),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join(""));

const isText = (name: string): boolean => name.isWellFormed() && !name.includes("\0");

it("names of tables, columns, functions, pragmas and files are what they say or are refused", {
  timeout: within(60_000, 600_000),
}, async () => {
  const db = await open(join(folder, "own.db"), { isolationLevel: null });
  const victim = "CREATE TABLE t (x); INSERT INTO t VALUES (1)";
  await db.executescript(victim);
  const before = readdirSync(folder);
  await fc.assert(
    fc.asyncProperty(hostileNames, async (name) => {
      measured.names++;
      // Not joined: what is before a `..` would be gone.
      const path = `${folder}/${name}`;
      const sql = `CREATE TEMP TABLE ${quoted(name)} (${quoted(`c ${name}`)})`;
      if (isText(name) && !name.toLowerCase().startsWith("sqlite_")) {
        await db.execute(sql);
        await db.execute(`INSERT INTO temp.${quoted(name)} VALUES (?)`, [name]);
        await using cursor = await db.execute(`SELECT * FROM temp.${quoted(name)}`);
        expect(cursor.description?.[0]?.[0]).toBe(`c ${name}`);
        expect(await cursor.fetchall()).toEqual([[name]]);
        await db.execute(`DROP TABLE temp.${quoted(name)}`);
      } else await refused(() => db.execute(sql), "a table");
      // Not in a function's definition: each stays, and the name of one may be that of another.
      if (!isText(name) || Buffer.byteLength(name) > 255)
        await refused(() => db.createFunction(name, 0, () => 1), "a function");
      if (!/^\w+(\.\w+)?$/.test(name))
        await refused(() => connect(":memory:", { pragmas: { [name]: 1 } }), "a pragma");
      if (name.includes("\0")) {
        await refused(() => connect(":memory:", { pragmas: { user_version: name } }), "a pragma's value");
        await refused(() => connect(":memory:", { extensions: [{ path: name }] }), "an extension");
      }
      if (!isText(name)) {
        await refused(() => connect(path), "a path");
        await refused(() => createPool(path), "a pool's path");
        await refused(() => db.backup(path), "a backup");
      }
      if (name.includes("\0")) {
        await refused(() => db.execute("ATTACH ? AS other", [path]), "ATTACH");
        await refused(() => db.execute("/* */ vacuum INTO :path", { path }), "VACUUM INTO");
        await refused(() => db.execute("ATTACH ? AS other", [Buffer.from(path)]), "ATTACH of a blob");
      }
      await refused(() => db.backup(join(folder, "copy.db"), { name: `x${name}` }), "a backup's database");
      if (name !== "")
        await refused(
          () => db.executeFetchall(`SELECT 'a' < 'b' COLLATE ${quoted(`no ${name}`)}`),
          "a collation",
        );
    }),
    { seed, numRuns: NAMES },
  );
  expect(readdirSync(folder)).toEqual(before);
  expect(await db.executeFetchall("SELECT name, (SELECT count(*) FROM t) FROM sqlite_schema")).toEqual([
    ["t", 1],
  ]);
});

it("a value of a pragma is one value, whatever is in it", async () => {
  const values = [
    "1; CREATE TABLE evil (x)",
    "'; CREATE TABLE evil (x); --",
    "1) ; DROP TABLE t",
    '"x"',
    "wal'--",
    "7",
  ];
  for (const value of values) {
    const path = join(folder, `${values.indexOf(value)}.db`);
    const db = await open(path, { pragmas: { user_version: value, application_id: value } });
    expect(await db.executeFetchall("SELECT count(*) FROM sqlite_schema")).toEqual([[0]]);
    expect(await db.executeFetchall("PRAGMA user_version")).toEqual([[Number.parseInt(value, 10) || 0]]);
  }
});

it("columns and parameters named __proto__ are columns and parameters, in every shape", async () => {
  const pool = await openPool({ readers: 1 }, join(folder, "pool.db"));
  const list = '"__proto__", "constructor", "hasOwnProperty", "toString"';
  await pool.exec(`CREATE TABLE t (${list})`);
  const given = JSON.parse(
    '{ "__proto__": 1, "constructor": 2, "hasOwnProperty": 3, "toString": 4 }',
  ) as Record<string, Bindable>;
  const wanted = Object.entries(given);
  await pool.run(`INSERT INTO t VALUES (:__proto__, :constructor, :hasOwnProperty, :toString)`, given);
  const db = await open(join(folder, "pool.db"));
  db.rowFactory = Row;
  const many =
    "SELECT t.* FROM t, (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) SELECT i FROM n)";
  for (const sql of ["SELECT * FROM t", many]) {
    const iterated: object[] = [];
    for await (const row of pool.iterate<object>(sql)) iterated.push(row);
    const shapes: object[][] = [
      await pool.all(sql),
      [(await pool.get<object>(sql))!],
      iterated,
      await pool.read((tx) => tx.all(sql)),
      await pool.transaction((tx) => tx.all(sql)),
      await db.executeFetchall(sql),
      await (await db.execute(sql)).fetchmany(10),
    ];
    for (const row of shapes.flat()) {
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
      expect(Object.entries(row)).toEqual(wanted);
    }
    measured.calls += shapes.length;
  }
  // A property that is not the object's own is none that was given.
  await refused(() => db.execute("SELECT :toString", {}), "an inherited property");
  await refused(() => db.execute("SELECT :a", Object.create({ a: 1 })), "an inherited property");
  await refused(() => connect(":memory:", JSON.parse('{ "__proto__x": 1 }')), "an option");
  await using plain = await connect(
    ":memory:",
    JSON.parse('{ "__proto__": { "readonly": true } }').__proto__ ?? {},
  ).catch(() => connect(":memory:"));
  expect(await plain.executeFetchall("SELECT 1")).toEqual([[1]]);
});

it(`of ${IMAGES} images with flipped bits each is opened or refused, and none ends the process`, {
  timeout: within(60_000, 900_000),
}, async () => {
  const path = join(folder, "image.db");
  const engine = openEngine(path);
  engine.exec(`
    PRAGMA page_size = 1024;
    CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL, d BLOB);
    CREATE INDEX i ON t (b, c);
    CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    CREATE VIEW v AS SELECT a, upper(b) AS b FROM t WHERE c > 3;
    CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT OR REPLACE INTO w VALUES (new.b, new.a); END;
    CREATE VIRTUAL TABLE f USING fts5 (text);
    INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT i, 'row ' || i, i / 3.0, zeroblob(i * 9) FROM n;
    INSERT INTO f SELECT b FROM t;
  `);
  engine.close();
  const child = start("image-flips.ts", [path, String(seed), String(IMAGES)], {
    limitMs: within(50_000, 850_000),
  });
  const { code, signal, stdout, stderr } = await child.ended;
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  const report = JSON.parse(stdout) as FlipReport;
  expect(report.violations).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, n) => sum + n, 0);
  expect(Math.min(report.opened, refusals)).toBeGreaterThan(IMAGES / 50);
  measured.images = `${IMAGES} images with flipped bits (${report.opened} sound enough to be opened)`;
});

describe("a value that cannot be stored", () => {
  let db: Connection;
  let pool: Pool;
  beforeEach(async () => {
    db = await open();
    pool = await openPool({}, ":memory:");
  });
  /** Nothing of what was refused has stayed on the way. */
  async function next(): Promise<unknown> {
    return await db.executeFetchall("SELECT ?", ["next"]);
  }

  /** A value as one parameter, in every way to pass it. */
  async function everywhere(value: unknown, what: string): Promise<void> {
    const bound = value as Bindable;
    await refused(() => db.execute("SELECT ?", [bound]), what);
    await refused(() => db.executeFetchall("SELECT :a", { a: bound }), what);
    await refused(() => db.executeInsert("INSERT INTO nowhere VALUES (?)", [bound]), what);
    await refused(() => db.executemany("SELECT ?", [[1], [bound]]), what);
    await refused(() => pool.get("SELECT ?", [bound]), what);
    await refused(() => pool.iterate("SELECT ?", [bound]).next(), what);
    await refused(() => pool.transaction((tx) => tx.run("SELECT ?", [bound])), what);
    expect(pool.stats()).toMatchObject({ queued: 0, waiting: 0 });
  }

  it("since it cannot cross to a thread is refused before it is sent", async () => {
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const cases: [string, unknown][] = [
      ["a function", () => 1],
      ["a symbol", Symbol("s")],
      ["a promise", Promise.resolve(1)],
      ["a weak map", new WeakMap()],
      ["a proxy", new Proxy({}, {})],
      ["an array", [1]],
      ["a map", new Map()],
      ["an object without prototype", Object.create(null)],
      ["memory that was transferred", detached],
      ["an object that stands for a text", { toString: () => "x", toJSON: () => "x", valueOf: () => 1 }],
      ["a boxed number", Object(1)],
      ["an int64 and one", 2n ** 63n],
    ];
    for (const [what, value] of cases) await everywhere(value, what);
    expect(await next()).toEqual([["next"]]);
  });

  it("since it is no text is refused", async () => {
    for (const text of ["\ud800", "a\udfff", "\udc00\ud800", `${"x".repeat(5000)}\ud83d`])
      await everywhere(text, "a lone surrogate");
    await refused(() => db.execute("SELECT '\ud800'"), "a lone surrogate in SQL");
    await refused(() => db.executescript("SELECT 1; SELECT '\udfff'"), "a lone surrogate in a script");
    await refused(() => db.execute("SELECT 1\0; DROP TABLE t"), "a null character in SQL");
    await refused(() => db.executescript("SELECT 1\0; DROP TABLE t"), "a null character in a script");
    expect(await next()).toEqual([["next"]]);
  });

  it("since it is too large is refused, and not copied for that", {
    timeout: within(30_000, 120_000),
  }, async () => {
    const large = Buffer.alloc(600_000_000);
    const before = process.memoryUsage().rss;
    await refused(() => db.execute("SELECT ?", [large]), "600 MB");
    await refused(() => db.execute("SELECT ?", [large.buffer]), "600 MB of memory");
    await refused(() => db.executemany("INSERT INTO nowhere VALUES (?)", [[large]]), "600 MB among sets");
    expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000);
    await refused(() => db.execute("SELECT zeroblob(600000000)"), "600 MB made by SQL");
    await refused(() => db.execute("SELECT printf('%.*c', 600000000, 'x')"), "600 MB of text made by SQL");
    await db.createFunction("large", 0, () => large);
    await refused(() => db.execute("SELECT length(large())"), "600 MB of a function");
    // Half as many characters, each of two bytes: it takes seconds to find out.
    if (soak) await refused(() => db.execute("SELECT ?", ["é".repeat(300_000_000)]), "600 MB of UTF-8");
  });

  it("since there are too many is refused", async () => {
    const numbers = Array.from({ length: 32_767 }, (_, i) => i);
    const lists = Array.from(
      { length: 331 },
      (_, i) =>
        `(${numbers
          .slice(i * 99, i * 99 + 99)
          .map(() => "?")
          .join("+")})`,
    );
    const sql = `SELECT ${lists.filter((list) => list !== "()").join(",")}`;
    await refused(() => db.executeFetchall(sql, numbers), "32,767 parameters");
    await refused(
      () => db.executemany(`INSERT INTO nowhere VALUES (${numbers.map(() => "?").join()})`, [numbers]),
      "32,767 parameters",
    );
    // With names, the engine takes seconds to find out.
    const names = Object.fromEntries(numbers.map((i) => [`p${i}`, i]));
    const marks = numbers.map((i) => `:p${i}`).join();
    if (soak) await refused(() => db.executeFetchall(`SELECT ${marks}`, names), "32,767 names");
    for (const mark of ["?32767", "?99999999999", "?0"]) {
      await refused(() => db.executeFetchall(`SELECT ${mark}`), mark);
      await refused(() => db.executeFetchall(`SELECT ${mark}`, [1]), mark);
    }
    await refused(
      () =>
        db.executeFetchall("SELECT ?", new Proxy([1], { get: (_, key) => (key === "length" ? 2 ** 31 : 1) })),
      "2^31 parameters",
    );
    await refused(() => db.executeFetchall(`SELECT ${"(".repeat(50_000)}1${")".repeat(50_000)}`), "depth");
    await refused(() => db.executeFetchall(`SELECT 1${"+1".repeat(50_000)}`), "depth");
    expect(await next()).toEqual([["next"]]);
  });
});

describe("a schema made by somebody else", () => {
  const CALLED = ["SELECT * FROM plain_view", "INSERT INTO t VALUES (2)", "UPDATE t SET x = 3"];

  /** Views and triggers that call what the application has defined, and what SQLite offers. */
  function hostileFile(): string {
    const path = join(folder, "hostile.db");
    const engine = openEngine(path);
    engine.exec(`
      CREATE TABLE t (x);
      INSERT INTO t VALUES (1);
      CREATE VIEW plain_view AS SELECT danger() AS d;
      CREATE VIEW loads AS SELECT load_extension('nowhere') AS d;
      CREATE VIEW lists AS SELECT * FROM pragma_database_list;
      CREATE VIEW pages AS SELECT * FROM dbstat;
      CREATE TRIGGER inserted AFTER INSERT ON t BEGIN SELECT danger(); END;
      CREATE TRIGGER updated AFTER UPDATE ON t BEGIN SELECT danger(); END;
    `);
    engine.close();
    return path;
  }

  it("calls nothing of the application's, and nothing of SQLite's that does harm", async () => {
    const db = await open(hostileFile(), { isolationLevel: null });
    const called: unknown[] = [];
    await db.createFunction("danger", 0, () => called.push("danger"));
    for (const sql of [...CALLED, "SELECT * FROM loads", "SELECT * FROM lists", "SELECT * FROM pages"]) {
      const error = await rejection(db.executeFetchall(sql));
      expect(error, sql).toMatchObject({ name: "OperationalError", code: "SQLITE_ERROR" });
      expect((error as Error).message, sql).toContain("unsafe use of");
      measured.calls++;
    }
    expect(called).toEqual([]);
    // The application itself can call it.
    await db.executeFetchall("SELECT danger()");
    expect(called).toEqual(["danger"]);
    for (const sql of [
      "PRAGMA writable_schema = ON",
      "UPDATE sqlite_schema SET sql = ''",
      "INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)",
    ])
      await db.execute(sql).catch((error: unknown) => expect(isClear(error), sql).toBe(true));
    expect(await db.executeFetchall("SELECT count(*) FROM sqlite_schema")).toEqual([[7]]);
  });

  it("calls nothing of a pool's functions either, on no connection", async () => {
    const pool = await openPool({ readers: 1 }, hostileFile());
    let called = 0;
    await pool.createFunction("danger", 0, () => ++called);
    for (const sql of CALLED) {
      for (const work of [
        () => pool.run(sql),
        () => pool.all(sql),
        () => pool.transaction((tx) => tx.run(sql)),
      ])
        await refused(work, sql);
    }
    expect(called).toBe(0);
    expect(await pool.get("SELECT x FROM t")).toEqual({ x: 1 });
  });

  it.each([
    "CREATE TABLE g (x, y AS (danger()))",
    "CREATE TABLE g (x CHECK (danger()))",
    "CREATE TABLE g (x DEFAULT (danger()))",
  ])("calls nothing that is defined when the schema has been read already: %s", async (sql) => {
    const path = join(folder, "written.db");
    const engine = openEngine(path) as ReturnType<typeof openEngine> & { unsafeMode(on: boolean): void };
    engine.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    engine.unsafeMode(true);
    engine.pragma("writable_schema = ON");
    engine.prepare("INSERT INTO sqlite_schema VALUES ('table', 'g', 'g', 2, ?)").run(sql);
    engine.close();
    const db = await open(path, { isolationLevel: null });
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
    let called = 0;
    const outcomes = await Promise.allSettled([
      db.createFunction("danger", 0, () => ++called),
      db.executeFetchall("SELECT * FROM g"),
      db.execute("INSERT INTO g (rowid) VALUES (5)"),
    ]);
    expect(called).toBe(0);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(isClear(outcome.reason), String(outcome.reason)).toBe(true);
    }
    expect(outcomes.at(-1)!.status).toBe("rejected");
  });

  it("that is noise is refused with a code", async () => {
    const path = join(folder, "noise.db");
    const engine = openEngine(path) as ReturnType<typeof openEngine> & { unsafeMode(on: boolean): void };
    engine.exec("CREATE TABLE t (x)");
    engine.unsafeMode(true);
    engine.pragma("writable_schema = ON");
    engine.exec(
      "INSERT INTO sqlite_schema VALUES ('table', 'u', 'u', 77, 'CREATE TABLE nonsense'), ('view', 1, 2, 3, x'00')",
    );
    engine.close();
    const reads = [
      async () => await (await open(path)).executeFetchall("SELECT * FROM t"),
      async () => await (await openPool({}, path)).get("SELECT * FROM t"),
    ];
    for (const work of reads) {
      expect(await rejection(work)).toMatchObject({ name: "DatabaseError", code: "SQLITE_CORRUPT" });
    }
    writeFileSync(path, Buffer.alloc(8192, 7));
    await refused(async () => await (await open(path)).executeFetchall("SELECT * FROM t"), "no database");
  });
});

it("extensions are not loaded unless that is allowed, by no way", async () => {
  const db = await open();
  const pool = await openPool({}, join(folder, "pool.db"));
  // A pool has further files beside its own when it is first read.
  const others = (): string[] => readdirSync(folder).filter((name) => !name.startsWith("pool.db"));
  const before = others();
  const path = join(folder, "extension.so");
  for (const work of [
    () => db.loadExtension(path),
    () => db.executeFetchall("SELECT load_extension(?)", [path]),
    () => db.executeFetchall("SELECT load_extension(?, 'entry')", [path]),
    () => db.executescript(`SELECT load_extension('${path}')`),
    () => pool.get("SELECT load_extension(?)", [path]),
    () => pool.run("SELECT load_extension(?)", [path]),
  ]) {
    expect(await rejection(work), String(work)).toMatchObject({
      name: "OperationalError",
      message: "not authorized",
    });
    measured.calls++;
  }
  await db.enableLoadExtension(true);
  for (const name of [path, `${path}\0x`, "\ud800", ""])
    await refused(() => db.loadExtension(name), "an extension that is none");
  // The SQL function stays as it is.
  expect(await rejection(db.executeFetchall("SELECT load_extension(?)", [path]))).toMatchObject({
    message: "not authorized",
  });
  expect(others()).toEqual(before);
});

describe("ATTACH and VACUUM INTO", () => {
  const target = (): string => join(folder, "target.db");
  const statements = (): [string, Bindable[]][] => [
    [`ATTACH '${target()}' AS other`, []],
    ["ATTACH ? AS other", [target()]],
    ["ATTACH DATABASE :path AS other", [target()]],
    [`VACUUM INTO '${target()}'`, []],
    ["VACUUM main INTO ?", [target()]],
  ];
  const deny = (action: number, name: string | null): number =>
    action === SQLITE_ATTACH && name !== "" ? SQLITE_DENY : SQLITE_OK;

  it.runIf(!capabilities.authorizer)(
    "can be forbidden with the companion only, and that is said",
    async () => {
      const db = await open();
      expect(await rejection(db.setAuthorizer(deny))).toBeInstanceOf(NotSupportedError);
    },
  );

  it.runIf(capabilities.authorizer)("make no file where an authorizer forbids them", async () => {
    const db = await open(join(folder, "own.db"), { isolationLevel: null });
    await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await db.setAuthorizer(deny);
    for (const [sql, parameters] of statements()) {
      for (const work of [
        () => db.execute(sql, parameters),
        () => db.executeFetchall(`/* */ ; ${sql}`, parameters),
        () => (parameters.length === 0 ? db.executescript(`SELECT 1; ${sql}`) : db.execute(sql, parameters)),
      ]) {
        expect(await rejection(work), sql).toMatchObject({ name: "DatabaseError", code: "SQLITE_AUTH" });
        measured.calls++;
      }
    }
    // It attaches a file without a name.
    await db.execute("VACUUM");
    expect(existsSync(target())).toBe(false);
    expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
  });

  it.runIf(capabilities.authorizer)(
    "make no file on any connection of a pool whose onConnect forbids them",
    async () => {
      const pool = await openPool(
        { readers: 1, onConnect: (connection) => connection.setAuthorizer(deny) },
        join(folder, "own.db"),
      );
      await pool.exec("CREATE TABLE t (x)");
      for (const [sql, parameters] of statements()) {
        for (const work of [
          () => pool.run(sql, parameters),
          () => pool.get(sql, parameters),
          () => pool.transaction((tx) => tx.run(sql, parameters)),
          () => pool.read((tx) => tx.get(sql, parameters)),
          async () => {
            await using lease = await pool.acquire();
            await lease.execute(sql, parameters);
          },
        ]) {
          await refused(work, sql);
        }
      }
      expect(existsSync(target())).toBe(false);
      expect(await pool.run("INSERT INTO t VALUES (1)")).toMatchObject({ changes: 1 });
    },
  );
});
