import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createPool, createPools } from "@sqlite-aio/core";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { canLink, open, openEngine, rejection, temporaryFolder } from "../support/database.ts";

let before: string;
let after: string;
const move = (): void => process.chdir(after);

beforeEach(async () => {
  const folder = await temporaryFolder();
  // Before the folder is removed.
  const home = process.cwd();
  onTestFinished(() => process.chdir(home));
  before = join(folder, "before");
  after = join(folder, "after");
  mkdirSync(before);
  mkdirSync(after);
  process.chdir(before);
});

/** Nothing was made in the folder that the process went to. */
function expectNothingElse(): void {
  expect(readdirSync(after)).toEqual([]);
}

describe("a relative path means what it meant when it was given", () => {
  it("to connect(), whose thread opens it later", async () => {
    const opening = open("x.db");
    move();
    const db = await opening;
    await db.executescript("CREATE TABLE t (a)");
    expect(existsSync(join(before, "x.db"))).toBe(true);
    expectNothingElse();
  });

  it("to a pool, for readers that it opens when they are needed", async () => {
    const pool = await createPool("x.db", { readers: 2 });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    move();
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
    expectNothingElse();
  });

  it("to the pools of createPools(), whenever one is opened", async () => {
    const pools = createPools({ open: (tenant) => ({ database: `${tenant}.db` }), max: 1 });
    onTestFinished(() => pools.close());
    const made = pools.use("x", (pool) => pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)"));
    move();
    await made;
    await pools.use("y", (pool) => pool.exec("CREATE TABLE t (a)"));
    expect(await pools.use("x", (pool) => pool.all("SELECT a FROM t"))).toEqual([{ a: 1 }]);
    expect(existsSync(join(before, "y.db"))).toBe(true);
    expectNothingElse();
  });

  it("to a pool, for connections that are opened afresh after a lease, and for threads that are replaced", async () => {
    const pool = await createPool("x.db", { readers: 0, writers: 1 });
    onTestFinished(() => pool.close());
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    move();
    {
      await using lease = await pool.acquire();
      await lease.execute("PRAGMA cache_size = 100");
    }
    await pool.run("INSERT INTO t VALUES (2)");
    await pool.createFunction("die", 0, new URL("../fixtures/deadly.mjs", import.meta.url), {
      export: "die",
    });
    await rejection(pool.get("SELECT die()"));
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]);
    expectNothingElse();
  });

  it("to backup(), as a path and as the connection's", async () => {
    const from = await open("from.db");
    await from.executescript("CREATE TABLE t (a)");
    const to = await open("to.db");
    const copying = from.backup("copy.db");
    move();
    await copying;
    await from.backup(to);
    expect(await to.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["t"]]);
    expect(existsSync(join(before, "copy.db"))).toBe(true);
    expectNothingElse();
  });

  it("to an extension, which is looked for where the process was", async () => {
    const opening = rejection(open(":memory:", { extensions: [{ path: "./none" }] }));
    const db = await open();
    await db.enableLoadExtension(true);
    const loading = rejection(db.loadExtension("./none"));
    move();
    for (const error of [await opening, await loading])
      expect((error as Error).message).toContain(join(before, "none"));
  });
});

it.runIf(canLink("junction"))("a path that goes up from a link goes up from where that leads", async () => {
  mkdirSync(join(after, "deep"));
  symlinkSync(join(after, "deep"), "link", "junction");
  const db = await open("link/../x.db");
  await db.executescript("CREATE TABLE t (a)");
  expect(readdirSync(after)).toContain("x.db");
  expect(readdirSync(before)).toEqual(["link"]);
});

describe("backup()", () => {
  it("takes a file: URL and a Buffer for its target, as connect() does", async () => {
    const db = await open();
    await db.executescript("CREATE TABLE t (a)");
    await db.backup(pathToFileURL(join(before, "url.db")));
    await db.backup(Buffer.from(join(before, "bytes.db")));
    for (const name of ["url.db", "bytes.db"]) {
      const names = openEngine(join(before, name)).prepare("SELECT name FROM sqlite_schema").pluck().all();
      expect(names).toEqual(["t"]);
    }
  });

  it("refuses what is no target, and says what one is", async () => {
    const db = await open();
    const pool = await createPool(":memory:");
    onTestFinished(() => pool.close());
    for (const target of [pool, {}, new Map(), null, 1, ":memory:", ""]) {
      expect(await rejection(() => db.backup(target as never))).toMatchObject({
        name: "TypeError",
        message: "backup: the target must be a path, a file: URL, a Buffer or a Connection",
      });
    }
    expect(await rejection(db.backup(new URL("http://host/x.db")))).toMatchObject({ name: "TypeError" });
  });
});
