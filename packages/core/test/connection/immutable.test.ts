import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { capabilities, connect, createPool } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { open, openEngine, rejection, temporaryPath } from "../support/database.ts";
import { openPool } from "../support/pool-support.ts";

/** A closed database of one row. */
async function written(mode: "delete" | "wal"): Promise<string> {
  const path = await temporaryPath();
  const db = openEngine(path);
  db.pragma(`journal_mode = ${mode}`);
  db.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  db.close();
  return path;
}

describe.runIf(capabilities.immutable)('readonly: "immutable"', () => {
  it("reads without the lock that another connection holds, which a reader waits for otherwise", async () => {
    const path = await written("delete");
    const db = openEngine(path);
    const reader = await open(path, { readonly: true, timeout: 0 });
    const immutable = await open(path, { readonly: "immutable", timeout: 0 });
    db.exec("BEGIN EXCLUSIVE");
    expect(await rejection(reader.executeFetchall("SELECT x FROM t"))).toMatchObject({ code: "SQLITE_BUSY" });
    expect(await immutable.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
  });

  it("reads a file in WAL mode without making a log beside it", async () => {
    const path = await written("wal");
    const immutable = await open(path, { readonly: "immutable" });
    expect(await immutable.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
    expect([existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([false, false]);
    // For comparison.
    const reader = await open(path, { readonly: true });
    await reader.executeFetchall("SELECT x FROM t");
    expect(existsSync(`${path}-shm`)).toBe(true);
  });

  it("refuses to write, also by a pool, and attaches other files as ever", async () => {
    const path = await written("delete");
    const other = await written("wal");
    const immutable = await open(path, { readonly: "immutable", isolationLevel: null });
    expect(await rejection(immutable.execute("DELETE FROM t"))).toMatchObject({ code: "SQLITE_READONLY" });
    await immutable.execute("ATTACH ? AS other", [other]);
    expect(await immutable.executeFetchall("SELECT x FROM other.t")).toEqual([[1]]);
    const pool = await openPool({ readonly: "immutable", readers: 2 }, path);
    expect(await Promise.all([1, 2, 3].map(() => pool.get("SELECT x FROM t")))).toEqual([
      { x: 1 },
      { x: 1 },
      { x: 1 },
    ]);
    expect(await rejection(pool.run("DELETE FROM t"))).toMatchObject({ code: "SQLITE_READONLY" });
    const copy = await temporaryPath();
    await immutable.backup(copy);
    expect(openEngine(copy).prepare("SELECT x FROM t").pluck().all()).toEqual([1]);
  });

  it("is opened again in the same way after a lease has changed the connection", async () => {
    const path = await written("delete");
    const pool = await openPool({ readonly: "immutable", readers: 0 }, path);
    {
      await using connection = await pool.acquire();
      await connection.execute("CREATE TEMP TABLE mine (y)");
    }
    openEngine(path).exec("BEGIN EXCLUSIVE");
    expect(await pool.all("SELECT x FROM t")).toEqual([{ x: 1 }]);
  });

  it("refuses a file with changes beside it, which would be left out", async () => {
    const path = await written("wal");
    const db = openEngine(path);
    db.exec("INSERT INTO t VALUES (2)");
    const error = await rejection(open(path, { readonly: "immutable" }));
    expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_CANTOPEN" });
    expect((error as Error).message).toContain(`${path}-wal holds changes that would be left out`);
    db.close();
    const immutable = await open(path, { readonly: "immutable" });
    expect(await immutable.get("SELECT count(*) FROM t")).toEqual([2]);
    const crashed = await written("delete");
    writeFileSync(`${crashed}-journal`, "x");
    expect(String(await rejection(open(crashed, { readonly: "immutable" })))).toMatch(
      /-journal holds changes/,
    );
  });

  it("says what is wrong where it cannot open", async () => {
    const missing = await temporaryPath("missing.db");
    expect(await rejection(open(missing, { readonly: "immutable" }))).toMatchObject({
      code: "SQLITE_CANTOPEN",
      message: `unable to open database file: ${missing} (there is no such file)`,
    });
    expect(existsSync(missing)).toBe(false);
    const folder = dirname(missing);
    expect(await rejection(open(folder, { readonly: "immutable" }))).toMatchObject({
      code: "SQLITE_CANTOPEN",
      message: `unable to open database file: ${folder} (it is a folder)`,
    });
    expect(String(await rejection(connect(missing, { readonly: "yes" as never })))).toMatch(
      /^TypeError: option "readonly" must be a boolean or "immutable"$/,
    );
    const resolve = (name: string): URL => pathToFileURL(createRequire(import.meta.url).resolve(name));
    const path = await written("delete");
    for (const [engine, pragmas, why] of [
      [resolve("libsql"), {}, "cannot be had with this engine"],
      [resolve("better-sqlite3-multiple-ciphers"), { key: "secret" }, "cannot be encrypted"],
    ] as const) {
      const error = await rejection(open(path, { readonly: "immutable", engine, pragmas }));
      expect(String(error)).toBe(`NotSupportedError: readonly: "immutable" ${why}`);
    }
  });

  it("leaves the engine's own ways of opening a file as they are", async () => {
    const path = await written("delete");
    await open(path, { readonly: "immutable" });
    expect(() => openEngine(`file:sqlite-aio-immutable/${path}`)).toThrow(/unable to open/);
    expect(() => openEngine("file:sqlite-aio-memory/x")).toThrow(/unable to open/);
  });
});

it.runIf(!capabilities.immutable)(
  'without the companion readonly: "immutable" names the package',
  async () => {
    for (const opening of [connect, createPool] as const) {
      const error = await rejection(opening(await written("delete"), { readonly: "immutable" }));
      expect(String(error)).toMatch(/^NotSupportedError: .*needs the package @sqlite-aio\/native/);
    }
  },
);
