import {
  cpSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createPool, EngineMissingError, NotSupportedError } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { open, rejection, temporaryFolder } from "../support/database.ts";

const requireFromWorker = createRequire(new URL("../../../worker/package.json", import.meta.url));
const installed = realpathSync(dirname(requireFromWorker.resolve("better-sqlite3/package.json")));

/** A second install of the engine, with files of its own or under other names for the same files. */
function install(folder: string, place: (from: string, to: string) => void): URL {
  const home = join(folder, "node_modules", "better-sqlite3");
  for (const name of readdirSync(installed, { recursive: true, encoding: "utf8" })) {
    const from = join(installed, name);
    if (/^(?:deps|src)\b/.test(name)) continue;
    if (statSync(from).isDirectory()) mkdirSync(join(home, name), { recursive: true });
    else {
      mkdirSync(dirname(join(home, name)), { recursive: true });
      place(from, join(home, name));
    }
  }
  return pathToFileURL(createRequire(join(folder, "x.js")).resolve("better-sqlite3"));
}

/** The URL of a module that attaches a file to each handle. */
function attachingSetup(folder: string, file: string): URL {
  const module = join(folder, "setup.mjs");
  writeFileSync(
    module,
    `export default (db) => void db.prepare("ATTACH ? AS s").run(${JSON.stringify(file)});`,
  );
  return pathToFileURL(module);
}

describe.skipIf(process.platform === "win32")("two copies of the engine in one process", () => {
  it("cannot have one file open at the same time, by whatever name, and can one after the other", async () => {
    const folder = await temporaryFolder();
    const engine = install(folder, (from, to) => cpSync(from, to));
    const path = join(folder, "x.db");
    symlinkSync(path, join(folder, "other.db"));
    const first = await open(path);
    linkSync(path, join(folder, "hard.db"));
    for (const name of ["x.db", "other.db", "hard.db"]) {
      const error = await rejection(open(join(folder, name), { engine }));
      expect(error).toMatchObject({ name: "OperationalError", code: "SQLITE_AIO_TWO_ENGINES" });
      expect((error as Error).message).toMatch(/is open in this process by another copy of SQLite/);
    }
    expect(await rejection(createPool(path, { engine }))).toMatchObject({ code: "SQLITE_AIO_TWO_ENGINES" });
    const elsewhere = await open(join(folder, "y.db"), { engine });
    await elsewhere.close();
    await open(":memory:", { engine });
    await first.close();
    const second = await open(path, { engine });
    await second.executescript("CREATE TABLE t (a)");
    expect(await rejection(open(path))).toMatchObject({ code: "SQLITE_AIO_TWO_ENGINES" });
  });

  it("cannot meet by a symbolic link that led nowhere when it was opened", async () => {
    const folder = await temporaryFolder();
    const engine = install(folder, (from, to) => cpSync(from, to));
    const inFolder = (name: string): string => join(folder, name);
    const [file, link, loop] = [inFolder("later.db"), inFolder("link.db"), inFolder("loop.db")];
    symlinkSync(file, inFolder("middle.db"));
    symlinkSync("middle.db", link);
    symlinkSync("loop.db", loop);
    const first = await open(link);
    expect(await rejection(open(file, { engine }))).toMatchObject({ code: "SQLITE_AIO_TWO_ENGINES" });
    await first.close();
    await open(file, { engine });
    expect(await rejection(open(link))).toMatchObject({ code: "SQLITE_AIO_TWO_ENGINES" });
    // A link that leads to itself is SQLite's to refuse.
    expect(await rejection(open(loop))).toMatchObject({ code: "SQLITE_CANTOPEN" });
  });

  it("cannot meet in a file that is attached, nor in one that is copied into", async () => {
    const folder = await temporaryFolder();
    const engine = install(folder, (from, to) => cpSync(from, to));
    const shared = join(folder, "shared.db");
    const ours = await open(shared);
    await ours.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const other = await open(join(folder, "other.db"), { engine, isolationLevel: null });
    await other.executescript("CREATE TABLE own (a)");
    const two = { name: "OperationalError", code: "SQLITE_AIO_TWO_ENGINES" };
    for (const attach of [
      () => other.execute("ATTACH ? AS s", [shared]),
      () => other.executeFetchall(`/* by */ ATTACH '${shared}' AS s`),
      () =>
        other.executescript(
          `INSERT INTO own VALUES (1); ATTACH '${shared}' AS "s"; INSERT INTO s.t VALUES (2)`,
        ),
      () => other.transaction((tx) => tx.execute("ATTACH ? AS s", [shared])),
      () => other.backup(shared),
      () => other.backup(ours),
      () => open(join(folder, "third.db"), { engine, setup: attachingSetup(folder, shared) }),
    ]) {
      expect(await rejection(attach()), String(attach)).toMatchObject(two);
      expect(await rejection(other.executeFetchall("SELECT * FROM s.t"))).toMatchObject({
        code: "SQLITE_ERROR",
      });
    }
    expect(await ours.executeFetchall("SELECT a FROM t")).toEqual([[1]]);
    expect(await other.executeFetchall("SELECT count(*) FROM own")).toEqual([[1]]);

    // They can open it one after the other.
    await ours.close();
    await other.execute("ATTACH ? AS s", [shared]);
    await other.execute("INSERT INTO s.t VALUES (2)");
    expect(await rejection(open(shared))).toMatchObject(two);
    await other.execute("DETACH s");
    const again = await open(shared);
    expect(await again.executeFetchall("SELECT a FROM t")).toEqual([[1], [2]]);
    await again.close();
    await other.backup(shared);
    await other.execute("ATTACH ? AS s", [shared]);
    await other.close();
    await open(shared);
  });

  it("that are one file under two names, as package managers link them, are one copy", async () => {
    // A link cannot lead to another file system.
    const folder = join(dirname(installed), `.test-${process.pid}`);
    mkdirSync(folder);
    const { rmSync } = await import("node:fs");
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const engine = install(folder, (from, to) => linkSync(from, to));
    const path = join(folder, "x.db");
    const first = await open(path);
    const second = await open(path, { engine });
    await first.executescript("CREATE TABLE t (a)");
    expect(await second.executeFetchall("SELECT name FROM sqlite_schema")).toEqual([["t"]]);
  });
});

describe("an engine that is missing", () => {
  it("is an error of its own kind that names what mends it", async () => {
    const error = await rejection(open(":memory:", { engine: "no-such-engine" }));
    expect(error).toBeInstanceOf(EngineMissingError);
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error).toMatchObject({
      code: "SQLITE_AIO_ENGINE_MISSING",
      message: 'the engine "no-such-engine" is not installed: npm install no-such-engine',
    });
  });

  it("is told apart from one whose native code is for another system", async () => {
    const folder = await temporaryFolder();
    const engine = install(folder, (from, to) => {
      if (from.endsWith(".node")) cpSync(new URL(import.meta.url), to);
      else cpSync(from, to);
    });
    expect(await rejection(open(":memory:", { engine }))).toMatchObject({
      name: "EngineMissingError",
      message: expect.stringMatching(/does not load \(.*\): install it again on this system/),
    });
  });
});
