import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Database, type Engine, type native as Native } from "./engine.ts";
import { packet, wire } from "./reading.ts";

interface Build {
  hostCompiler(): string[] | undefined;
  compileForHost(compiler: string[], flags: string[], output: string, more: string[]): void;
}
const scripts = new URL("../scripts/compile.mjs", import.meta.url).href;
const { compileForHost, hostCompiler } = (await import(scripts)) as Build;

const MEMORY = "ERR_SQLITE_AIO_NATIVE_MEMORY";
/** More allocations than any of the calls needs. */
const ENOUGH = 200;

const compiler = hostCompiler();

/** The companion in a build whose allocations can be made to fail. */
describe.runIf(compiler !== undefined)("where there is no memory", () => {
  let folder: string;
  let native: typeof Native;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
    copyFileSync(fileURLToPath(new URL("../index.cjs", import.meta.url)), join(folder, "index.cjs"));
    const header = fileURLToPath(new URL("failing-malloc.h", import.meta.url));
    compileForHost(
      compiler as string[],
      // A warning is for the build to refuse, and no reason for a test to fail.
      ["-O0", "-Wno-error", "-include", header],
      join(folder, "build", "sqlite-aio.node"),
      [fileURLToPath(new URL("failing-malloc.c", import.meta.url))],
    );
    native = createRequire(import.meta.url)(join(folder, "index.cjs")) as typeof Native;
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  afterEach(() => {
    delete process.env["SQLITE_AIO_ALLOCATIONS"];
  });

  /** The result of `work`, or the code or message of its error, if only so many allocations succeed. */
  function limited(allocations: number, work: () => unknown): unknown {
    process.env["SQLITE_AIO_ALLOCATIONS"] = String(allocations);
    try {
      return work();
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return code?.startsWith("ERR_SQLITE_AIO") === true ? code : message;
    } finally {
      delete process.env["SQLITE_AIO_ALLOCATIONS"];
    }
  }

  function database(): Engine {
    const db = new Database(":memory:");
    onTestFinished(() => void db.close());
    db.exec("CREATE TABLE a (id INTEGER PRIMARY KEY, x); CREATE TABLE b (id INTEGER PRIMARY KEY, x)");
    return db;
  }

  it("a handle is not attached, and is when there is some again", () => {
    const db = database();
    expect(limited(0, () => native.attach(db))).toMatch(/out of memory|error during initialization/);
    expect(limited(1, () => native.attach(db))).toContain("too many handles");
    expect(native.attach(db)).toBeGreaterThan(0);
  });

  it("changes are told as they were, or without their rows, or as any change, and never in part", () => {
    const db = database();
    const token = native.attach(db);
    const insert = {
      a: db.prepare("INSERT INTO a (x) VALUES (1)"),
      b: db.prepare("INSERT INTO b (x) VALUES (1)"),
    };
    let rows = 0;
    const write = (): unknown => {
      db.exec("BEGIN");
      for (let i = 0; i < 40; i++) for (const one of [insert.a, insert.b]) one.run();
      db.exec("COMMIT");
      rows += 40;
      return native.takeChanges(token);
    };
    const seen = new Set<string>();
    for (let allocations = 0; allocations <= ENOUGH; allocations += allocations < 30 ? 1 : 85) {
      native.trackChanges(token, true, 1000);
      const rowids = Array.from({ length: 40 }, (_, i) => BigInt(rows + i + 1));
      const told = limited(allocations, write);
      if (told === MEMORY) {
        seen.add("any");
        continue;
      }
      const changes = told as { table: string; rowids: bigint[] | null }[];
      expect(changes.map(({ table }) => table).toSorted()).toEqual(["a", "b"]);
      for (const change of changes) {
        seen.add(change.rowids === null ? "without rows" : "whole");
        if (change.rowids !== null) expect(change.rowids).toEqual(rowids);
      }
    }
    expect(seen).toEqual(new Set(["any", "without rows", "whole"]));
    expect(native.takeChanges(token)).toBe(null);
    expect(limited(0, () => native.markChanged(token, "main", "a"))).toBeUndefined();
    expect(limited(ENOUGH, () => native.takeChanges(token))).toBe(MEMORY);
    native.markChanged(token, "main", "a");
    expect(native.takeChanges(token)).toMatchObject([{ table: "a", rowids: null }]);
  });

  it("a statement is analyzed whole or not at all", () => {
    const db = database();
    const token = native.attach(db);
    const sql = "INSERT INTO a (x) SELECT x FROM b WHERE id IN (SELECT id FROM a)";
    const whole = native.analyze(token, sql);
    const outcomes = new Set<unknown>();
    for (let allocations = 0; allocations < 20; allocations++) {
      const told = limited(allocations, () => native.analyze(token, sql));
      if (typeof told === "string") outcomes.add(told);
      else expect(told).toEqual(whole);
    }
    expect([...outcomes]).toContain(MEMORY);
    expect(native.analyze(token, sql)).toEqual(whole);
  });

  it("rows are packed as they are or not at all, and the statement can be read again", () => {
    const db = database();
    const numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 600) SELECT ";
    const columns =
      "i, i / 2.0, 'city ' || (i % 20), 'own ' || i, CASE WHEN i < 300 THEN 'term' || (i % 3) ELSE x'00' || i END," +
      " CASE WHEN i < 300 THEN i ELSE 'é日' || i END, zeroblob(i % 30) FROM n";
    const want = db
      .prepare(numbers + columns)
      .raw()
      .all();
    const outcomes = new Set<unknown>();
    for (let allocations = 0; allocations < 80; allocations++) {
      // Each run has its own handle: memory that a handle keeps would be there in the next run.
      const own = new Database(":memory:");
      const handle = native.attach(own);
      const { id } = native.prepare(handle, numbers + columns)!;
      const read = (): unknown => {
        const rows: unknown[][] = [];
        const block = native.rows(handle, id, 1000, 1e6, 0, false);
        wire.appendBlock(rows, block, null);
        return rows;
      };
      const told = limited(allocations, read);
      if (typeof told === "string") outcomes.add(told);
      else expect(told).toEqual(want);
      if (allocations % 8 === 0) expect(read()).toEqual(want);
      own.close();
    }
    expect(outcomes).toEqual(new Set([MEMORY, "out of memory"]));
  });

  it("a statement is prepared and bound or it is not", () => {
    const db = database();
    const token = native.attach(db);
    const outcomes = new Set<unknown>();
    for (let allocations = 0; allocations < 8; allocations++) {
      const told = limited(allocations, () => {
        const statement = native.prepare(token, "SELECT ?, ?")!;
        native.bind(token, statement.id, ["a", "b"]);
        return statement.columns;
      });
      outcomes.add(told);
      native.finalize(token);
    }
    expect(outcomes).toEqual(new Set([MEMORY, "out of memory", 2]));
  });

  it("parameter sets are written to the one that there is no memory for", () => {
    const db = database();
    const token = native.attach(db);
    const { id } = native.prepare(token, "INSERT INTO a (x) VALUES (?)")!;
    const progress = new Float64Array(2);
    const outcomes = new Set<unknown>();
    for (const column of [
      ["a", "é"],
      ["a", 1],
      ["a", null, new Uint8Array(3)],
      [1, 2],
    ]) {
      const sets = packet(column.map((value) => [value]));
      for (let allocations = 0; allocations < 8; allocations++) {
        db.exec("DELETE FROM a");
        const told = limited(allocations, () => native.runMany(token, id, sets, 0, progress));
        outcomes.add(typeof told === "string" ? told : "done");
        const written = db.prepare("SELECT count(*) FROM a").pluck().get();
        expect(written).toBe(typeof told === "string" ? 0 : column.length);
      }
    }
    expect(outcomes).toEqual(new Set([MEMORY, "done"]));
  });
});
