import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect, createPool, OperationalError } from "@sqlite-aio/core";
import { getLoadablePath } from "sqlite-vec";
import { describe, expect, it, onTestFinished } from "vitest";
import { nearest, openColors } from "../sqlite-vec/nearest.ts";

const main = fileURLToPath(new URL("../sqlite-vec/main.ts", import.meta.url));
const run = promisify(execFile);

async function temporaryPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-vec-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "test.db");
}

describe("the sqlite-vec example", () => {
  it("prints the nearest colours of each that was asked for", async () => {
    const { stdout } = await run(process.execPath, [main, "#ff7f51", "#0000fe"]);
    expect(stdout).toMatch(/│ #ff7f51 │ coral +│ #ff7f50 │ 1\.0 /);
    expect(stdout).toMatch(/│ #0000fe │ blue +│ #0000ff │ 1\.0 /);
    expect(stdout).toMatch(/sqlite-vec v\d+\.\d+\.\d+/);
  });

  it("says what is wrong with a colour", async () => {
    const failed = run(process.execPath, [main, "red"]);
    await expect(failed).rejects.toMatchObject({
      code: 2,
      stderr: '"red" is no colour: give it as #rrggbb\n',
    });
  });

  it("finds neighbours in the order of their distance", async () => {
    const pool = await openColors(await temporaryPath(), 1);
    onTestFinished(() => pool.close());
    const found = await nearest(pool, "#ff0001", 4);
    expect(found.map(({ name }) => name)).toEqual(["red", "orangered", "crimson", "firebrick"]);
    expect(found[0]?.distance).toBe(1);
    expect(found[1]?.distance).toBeCloseTo(Math.hypot(0, 69, 1), 4);
  });
});

describe("an extension of a pool", () => {
  it("is on the writer, on every reader, and on the connection that takes the place of one", async () => {
    const pool = await createPool(await temporaryPath(), {
      readers: 2,
      extensions: [{ path: getLoadablePath() }],
    });
    onTestFinished(() => pool.close());
    const question = "SELECT vec_distance_L2('[0, 0]', '[3, 4]')";
    {
      await using writer = await pool.acquire();
      await using one = await pool.acquire({ mode: "read" });
      await using two = await pool.acquire({ mode: "read" });
      for (const lease of [writer, one, two]) expect(await lease.executeFetchall(question)).toEqual([[5]]);
      expect(pool.stats()).toMatchObject({ readers: 2, writers: 1 });
      // The temporary table makes the pool open the connection again.
      await writer.execute("CREATE TEMP TABLE left_behind (a)");
    }
    await using writer = await pool.acquire();
    expect(await writer.executeFetchall("SELECT name FROM sqlite_temp_schema")).toEqual([]);
    expect(await writer.executeFetchall(question)).toEqual([[5]]);
  });

  it("has its tables in a dump, which restores where the schema may be written", async () => {
    const extensions = [{ path: getLoadablePath() }];
    await using db = await connect(":memory:", { extensions });
    await db.executescript(`CREATE VIRTUAL TABLE v USING vec0(a float[2]);
      INSERT INTO v(rowid, a) VALUES (1, '[0, 0]'), (2, '[3, 4]')`);
    const lines: string[] = [];
    for await (const line of db.iterdump()) lines.push(line);
    expect(lines).toContain("PRAGMA writable_schema=ON;");
    const setup = new URL("data:text/javascript,export default (db) => db.unsafeMode(true)");
    await using restored = await connect(":memory:", { extensions, setup });
    await restored.executescript(lines.join("\n"));
    const search = "SELECT rowid FROM v WHERE a MATCH '[3, 3]' AND k = 1";
    expect(await restored.executeFetchall(search)).toEqual([[2]]);
  });

  it("that is not there makes opening fail, with its path", async () => {
    const opening = createPool(await temporaryPath(), { extensions: [{ path: "/no/such/extension" }] });
    await expect(opening).rejects.toBeInstanceOf(OperationalError);
    await expect(opening).rejects.toThrow("/no/such/extension");
  });
});
