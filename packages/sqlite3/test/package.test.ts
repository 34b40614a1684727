import { createRequire } from "node:module";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import * as imported from "../dist/index.js";
import { called, failed, freshPath, open, sqlite3 } from "./support.ts";

const require = createRequire(import.meta.url);

describe("the package", () => {
  it("is the same objects by require() and import, by names and as a whole", () => {
    const required = require("../dist/index.js") as typeof sqlite3;
    expect(required).toBe(sqlite3);
    const { default: whole, ...named } = imported as unknown as Record<string, unknown>;
    expect(whole).toBe(sqlite3);
    const { "module.exports": same = sqlite3, ...names } = named;
    expect(same).toBe(sqlite3);
    expect(names).toEqual(sqlite3);
    // Compilers that turn `import sqlite3 from "sqlite3"` into require() look for this, and take the whole module if it
    // is missing.
    expect(sqlite3).not.toHaveProperty("__esModule");
  });

  it("has the constants of SQLite", () => {
    expect([sqlite3.OPEN_READONLY, sqlite3.OPEN_READWRITE, sqlite3.OPEN_CREATE]).toEqual([1, 2, 4]);
    expect([sqlite3.OPEN_URI, sqlite3.OPEN_FULLMUTEX]).toEqual([0x40, 0x10000]);
    expect([sqlite3.OPEN_SHAREDCACHE, sqlite3.OPEN_PRIVATECACHE]).toEqual([0x20000, 0x40000]);
    expect([sqlite3.OK, sqlite3.BUSY, sqlite3.CONSTRAINT, sqlite3.NOTADB]).toEqual([0, 5, 19, 26]);
    expect([sqlite3.LIMIT_LENGTH, sqlite3.LIMIT_WORKER_THREADS]).toEqual([0, 11]);
  });

  it("has the version of the engine that is used", async () => {
    await using db = await open();
    const row = await called((callback) =>
      db.get("SELECT sqlite_version() AS version, sqlite_source_id() AS source", callback),
    );
    expect(row).toEqual({ version: sqlite3.VERSION, source: sqlite3.SOURCE_ID });
    const [major = 0, minor = 0, patch = 0] = sqlite3.VERSION.split(".").map(Number);
    expect(sqlite3.VERSION_NUMBER).toBe(major * 1e6 + minor * 1e3 + patch);
  });

  it("has methods that programs can go through and replace, as those of sqlite3", () => {
    const names: string[] = [];
    for (const name in sqlite3.Database.prototype) names.push(name);
    expect(names).toEqual(
      expect.arrayContaining(["prepare", "run", "get", "all", "each", "map", "backup", "on"]),
    );
    const { get } = sqlite3.Database.prototype;
    sqlite3.Database.prototype.get = (() => "patched") as never;
    try {
      expect(sqlite3.Database.prototype.get("SELECT 1")).toBe("patched");
    } finally {
      sqlite3.Database.prototype.get = get;
    }
  });
});

it("its classes have the names that programs look at", async () => {
  await using db = await open();
  const statement = await new Promise((done) => {
    db.run("SELECT 1", function (this: unknown) {
      done(this);
    });
  });
  expect((statement as object).constructor).toBe(sqlite3.Statement);
  expect([sqlite3.Database, sqlite3.Statement, sqlite3.Backup].map(({ name }) => name)).toEqual([
    "Database",
    "Statement",
    "Backup",
  ]);
});

describe("cached", () => {
  it("opens a file once, and calls back for everybody", async () => {
    const path = freshPath();
    const first = new (sqlite3.cached.Database as unknown as new (file: string) => typeof db)(path);
    const db = sqlite3.cached.Database(path);
    expect(db).toBe(first);
    expect(sqlite3.cached.objects[resolve(path)]).toBe(db);
    await called((callback) => sqlite3.cached.Database(path, callback));
    await called((callback) => sqlite3.cached.Database(path, sqlite3.OPEN_READWRITE, callback));
    expect(sqlite3.cached.Database(":memory:")).not.toBe(sqlite3.cached.Database(":memory:"));
    await called((callback) => db.close(callback));
    delete sqlite3.cached.objects[resolve(path)];
  });
});

describe("verbose()", () => {
  const { prototype } = sqlite3.Database;
  const { run } = prototype;
  afterEach(() => {
    prototype.run = run;
  });

  it("gives the package, and shows in the stack of an error which call it was and where", async () => {
    await using db = await open();
    const before = await failed((callback) => db.run("INSERT INTO nowhere VALUES (?)", 7, callback));
    expect(before).not.toHaveProperty("stack");
    expect(sqlite3.verbose()).toBe(sqlite3);
    expect(sqlite3.verbose()).toBe(sqlite3);
    const error = await new Promise<Error | null>((done) => {
      db.run("INSERT INTO nowhere VALUES (?)", 7, done);
    });
    expect(error?.stack).toContain("--> in Database#run('INSERT INTO nowhere VALUES (?)', 7, [Function");
    expect(error?.stack).toContain("package.test.ts");
  });
});
