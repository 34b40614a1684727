import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import nodeModule, { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { capabilities, connect, createPool, OperationalError } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { canLink, open, rejection, temporaryFolder, temporaryPath } from "../support/database.ts";

const run = promisify(execFile);
const requireFromCore = createRequire(new URL("../../package.json", import.meta.url));
const entry = requireFromCore.resolve("@sqlite-aio/worker/entry.cjs");

const LONG =
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000) SELECT count(*) FROM c";

/** A folder in which a program finds both packages. */
async function programFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "node_modules/@sqlite-aio"), { recursive: true });
  for (const name of ["core", "worker"]) {
    const target = fileURLToPath(new URL(`../../../${name}`, import.meta.url));
    await symlink(target, join(folder, "node_modules/@sqlite-aio", name), "junction");
  }
  return folder;
}

describe("the thread's CommonJS file", () => {
  it.runIf(canLink("junction"))("serves a program in CommonJS", async () => {
    const folder = await programFolder();
    const program = `
      const { Worker } = require("node:worker_threads");
      const { connect } = require("@sqlite-aio/core");
      const createWorker = (url, options) => new Worker(require.resolve("@sqlite-aio/worker/entry.cjs"), options);
      connect("new.db", { createWorker }).then(async (db) => {
        await db.execute("CREATE TABLE t (a)");
        await db.executemany("INSERT INTO t VALUES (?)", [["one"], [2n ** 60n]]);
        await db.commit();
        console.log((await db.executeFetchall("SELECT a FROM t")).flat());
        await db.close();
      });
    `;
    await writeFile(join(folder, "program.cjs"), program);
    const { stdout, stderr } = await run(process.execPath, ["program.cjs"], { cwd: folder });
    expect([stdout, stderr]).toEqual(["[ 'one', 1152921504606846976n ]\n", ""]);
  });

  it("serves connections and pools, with the native companion where it is there", async () => {
    const createWorker = (_: URL, options: object): Worker => new Worker(entry, options);
    const db = await open(":memory:", { createWorker });
    const late = await rejection(db.executeFetchall(LONG, [], { timeout: 30 }));
    expect(late).toMatchObject({ code: "SQLITE_INTERRUPT" });
    if (capabilities.interrupt) expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);

    await using pool = await createPool(await temporaryPath(), { createWorker, readers: 1 });
    await pool.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    expect(await pool.all("SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  // With hooks that Node has since 22.15; what is tested does not depend on it.
  it.runIf("registerHooks" in nodeModule)(
    "loads the engine by require(), since in an archive import() finds nothing",
    async () => {
      const folder = await temporaryFolder();
      const hook = join(folder, "no-import.cjs");
      await writeFile(
        hook,
        `require("node:module").registerHooks({
        resolve(specifier, context, next) {
          if (context.conditions.includes("import") && !specifier.startsWith("node:")) throw new Error("import() of " + specifier);
          return next(specifier, context);
        },
      });`,
      );
      const createWorker = (_: URL, options: object): Worker =>
        new Worker(entry, { ...options, execArgv: ["--require", hook] });
      const db = await open(":memory:", { createWorker });
      expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
    },
  );
});

describe("a program that was bundled without the thread's file", () => {
  it("is told so by connect() and by createPool(), with what to do about it", async () => {
    const missing = join(await temporaryFolder(), "sqlite-aio-thread.js");
    const createWorker = (_: URL, options: object): Worker => new Worker(missing, options);
    const path = await temporaryPath();
    for (const opening of [
      () => connect(":memory:", { createWorker }),
      () => createPool(path, { createWorker }),
    ]) {
      const error = await rejection(opening());
      expect(error).toBeInstanceOf(OperationalError);
      expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_AIO_ENTRY_MISSING" });
      expect(String(error)).toContain(missing);
      expect(String(error)).toMatch(/mark @sqlite-aio\/core external, or pass createWorker:/);
    }
  });

  it.each(["copy.mjs", "copy.cjs"])(
    "is told so also where %s of the file alone was brought along",
    async (name) => {
      const file = join(await temporaryFolder(), name);
      await writeFile(file, 'import "./functions.js";');
      const error = await rejection(
        connect(":memory:", { createWorker: (_, options) => new Worker(file, options) }),
      );
      expect(error).toMatchObject({ code: "SQLITE_AIO_ENTRY_MISSING" });
    },
  );

  it("is not told so where a thread dies of something else, or an engine is not installed", async () => {
    const file = join(await temporaryFolder(), "broken.mjs");
    await writeFile(file, 'throw new Error("broken");');
    const error = await rejection(
      connect(":memory:", { createWorker: (_, options) => new Worker(file, options) }),
    );
    expect(error).toMatchObject({ name: "WorkerCrashedError" });
    const engine = await rejection(connect(":memory:", { engine: "no-such-engine" }));
    expect(engine).not.toMatchObject({ code: "SQLITE_AIO_ENTRY_MISSING" });
  });
});
