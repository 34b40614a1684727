import { Worker } from "node:worker_threads";
import { createRequire } from "node:module";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, Database, type Engine, native, open } from "./engine.ts";

const MEMORY = "file:sqlite-aio-memory/";

/** Opens a database while the prefixes are on. */
function prefixed(token: number, path: string): Engine {
  expect(native.usePrefixes(token, true)).toBe(true);
  try {
    const db = new Database(path, { timeout: 0 });
    onTestFinished(() => void db.close());
    return db;
  } finally {
    native.usePrefixes(token, false);
  }
}

const cannotOpen = (path: string): unknown => codeOf(() => new Database(path).close());

test("a prefix means something as often as it is turned on, until it is turned off as often", () => {
  using handle = open();
  const path = `${MEMORY}counted`;
  expect(cannotOpen(path)).toBe("SQLITE_CANTOPEN");
  native.usePrefixes(handle.token, true);
  native.usePrefixes(handle.token, true);
  native.usePrefixes(handle.token, false);
  expect(cannotOpen(path)).toBeUndefined();
  native.usePrefixes(handle.token, false);
  expect(cannotOpen(path)).toBe("SQLITE_CANTOPEN");
  // One call too many changes nothing.
  native.usePrefixes(handle.token, false);
  native.usePrefixes(handle.token, true);
  expect(cannotOpen(path)).toBeUndefined();
  native.usePrefixes(handle.token, false);
  expect(cannotOpen(path)).toBe("SQLITE_CANTOPEN");
});

test("handles that were opened meanwhile go on, and share what has their name", () => {
  using handle = open();
  const one = prefixed(handle.token, `${MEMORY}shared`);
  const two = prefixed(handle.token, `${MEMORY}shared`);
  one.exec("create table t (a); insert into t values (1)");
  expect(two.prepare("select a from t").pluck().all()).toEqual([1]);
  two.exec("begin immediate");
  expect(codeOf(() => one.exec("insert into t values (2)"))).toBe("SQLITE_BUSY");
  two.exec("rollback");
  // Temporary files, and the database of a VACUUM, use the engine's own VFS.
  one.exec("create temp table s as select a from t order by a; vacuum");
  expect(one.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
});

test("a thread that ends meanwhile harms no other", async () => {
  using handle = open();
  const program = `
    const { workerData } = require("node:worker_threads");
    const native = require(workerData.native);
    const db = new (require(workerData.engine))(":memory:");
    native.usePrefixes(native.attach(db), true);
    process.exit(7);`;
  const require = createRequire(import.meta.url);
  const workerData = {
    native: require.resolve("../index.cjs"),
    engine: require.resolve("better-sqlite3"),
  };
  const [code] = (await once(new Worker(program, { eval: true, workerData }), "exit")) as [number];
  expect(code).toBe(7);
  const db = prefixed(handle.token, `${MEMORY}after`);
  db.exec("create table t (a)");
  using plain = open();
  expect(plain.db.prepare("select 1").pluck().get()).toBe(1);
  // Turns off what the ended thread left on.
  native.usePrefixes(handle.token, false);
  expect(cannotOpen(`${MEMORY}after`)).toBe("SQLITE_CANTOPEN");
});

test("copies the contents of one handle into another, and says what is in the way", () => {
  using source = open();
  using target = open();
  source.db.exec("create table t (a); insert into t values (1), (2)");
  target.db.exec("create table old (b)");
  native.copyInto(source.token, target.token);
  expect(target.db.prepare("select a from t").pluck().all()).toEqual([1, 2]);
  expect(codeOf(() => target.db.prepare("select b from old"))).toBe("SQLITE_ERROR");
  const one = prefixed(target.token, `${MEMORY}copied`);
  const two = prefixed(target.token, `${MEMORY}copied`);
  const into = native.attach(one);
  two.exec("begin immediate");
  expect(codeOf(() => native.copyInto(source.token, into))).toBe("SQLITE_BUSY");
  two.exec("commit");
  native.copyInto(source.token, into);
  expect(two.prepare("select count(*) from t").pluck().get()).toBe(2);
  source.db.close();
  expect(codeOf(() => native.copyInto(source.token, into))).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
});
