import { copyFileSync, globSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { codeOf, Database, native, open, removeUnlessLoaded } from "./engine.ts";

const require = createRequire(import.meta.url);
const flags = 0;

it("a function gets and gives every kind of value", () => {
  using handle = open();
  const { db, token } = handle;
  const seen: unknown[] = [];
  let next = 0;
  const give: unknown[] = [null, 1, 1.5, -0, 2n ** 62n, "ä日🙂\0", new Uint8Array([1, 2]), Number.NaN];
  native.defineFunction(token, "f", -1, flags, 0, 0, ((...values: unknown[]) => {
    seen.push(...values);
    return give[next++];
  }) as never);
  const given = give.map(() =>
    db.prepare("SELECT f(NULL, 1, 1.5, 'ä日', x'00ff', 9007199254740993) AS v").raw().all(),
  );
  expect(given.flat(2)).toEqual([
    null,
    1,
    1.5,
    -0,
    4611686018427388000,
    "ä日🙂\0",
    Buffer.from([1, 2]),
    null,
  ]);
  expect(seen.slice(0, 6)).toEqual([null, 1, 1.5, "ä日", Buffer.from([0, 255]), 9007199254740993n]);
  native.defineFunction(token, "g", 1, flags, 0, 1, (value: unknown) => typeof value);
  native.defineFunction(token, "h", 1, flags, 0, 2, (value: unknown) => typeof value);
  expect(db.prepare("SELECT g(1), h(9007199254740993)").raw().all()).toEqual([["bigint", "number"]]);
});

it("a function that throws, or gives what is no value, fails the statement and leaves nothing behind", () => {
  using handle = open();
  const { db, token } = handle;
  for (const fn of [
    () => {
      throw new Error("by itself");
    },
    () => undefined,
    () => ({}),
    () => 2n ** 64n,
    () => Symbol("s"),
  ]) {
    native.defineFunction(token, "f", 0, flags, 0, 0, fn as never);
    expect(() => db.prepare("SELECT f()").get()).toThrow("user-defined function raised exception");
    expect(db.prepare("SELECT 1").pluck().get()).toBe(1);
  }
});

it("a group has a number from its first row to its end, in each of its windows", () => {
  using handle = open();
  const { db, token } = handle;
  const asked: unknown[] = [];
  native.defineFunction(token, "f", 1, flags, 2, 0, (what: number, group: number, ...values: unknown[]) => {
    asked.push([what, group, ...values]);
    return what < 3 ? null : what;
  });
  const rows = "(VALUES (1), (2), (3))";
  expect(db.prepare(`SELECT f(column1) FROM ${rows}`).raw().all()).toEqual([[4]]);
  expect(asked.splice(0)).toEqual([
    [1, 1, 1],
    [1, 1, 2],
    [1, 1, 3],
    [4, 1],
  ]);
  expect(db.prepare(`SELECT f(column1) FROM ${rows} WHERE 0`).raw().all()).toEqual([[null]]);
  expect(asked).toEqual([]);
  db.prepare(`SELECT f(column1) OVER (ROWS BETWEEN CURRENT ROW AND CURRENT ROW) FROM ${rows}`).raw().all();
  expect(asked).toEqual([
    [1, 2, 1],
    [3, 2],
    [2, 2, 1],
    [1, 2, 2],
    [3, 2],
    [2, 2, 2],
    [1, 2, 3],
    [3, 2],
    [4, 2],
  ]);
});

it("a function, and a collation, can be taken away, and what they were is let go of", () => {
  using handle = open();
  const { db, token } = handle;
  native.defineFunction(token, "f", 0, flags, 0, 0, () => 1);
  native.defineFunction(token, "f", 0, flags, 1, 0, null);
  expect(() => db.prepare("SELECT f()")).toThrow("no such function: f");
  native.defineCollation(token, "mine", (left, right) => (left < right ? 1 : -1));
  expect(db.prepare("SELECT 'a' < 'b' COLLATE mine").pluck().get()).toBe(0);
  native.defineCollation(token, "mine", null);
  expect(() => db.prepare("SELECT 'a' < 'b' COLLATE mine")).toThrow("no such collation sequence: mine");
});

it("a collation that throws, or gives no number, counts as equal", () => {
  using handle = open();
  const { db, token } = handle;
  for (const compare of [
    () => {
      throw new Error("by itself");
    },
    () => "less",
    () => undefined,
  ]) {
    native.defineCollation(token, "mine", compare as never);
    expect(db.prepare("SELECT 'a' = 'b' COLLATE mine").pluck().get()).toBe(1);
  }
});

it("wrong names and numbers are SQLite's errors, and none are left of the definition", () => {
  using handle = open();
  const { token } = handle;
  expect(codeOf(() => native.defineFunction(token, "f", 9999, flags, 0, 0, () => 1))).toBe("SQLITE_MISUSE");
  expect(codeOf(() => native.defineFunction(token, "x".repeat(300), 0, flags, 0, 0, () => 1))).toBe(
    "SQLITE_MISUSE",
  );
  for (const work of [
    () => native.defineFunction(token, 5 as never, 0, flags, 0, 0, () => 1),
    () => native.defineFunction(token, "f", "0" as never, flags, 0, 0, () => 1),
    () => native.defineFunction(token, "f", 0, flags, 3 as never, 0, () => 1),
    () => native.defineFunction(token, "f", 0, flags, 0, 3 as never, () => 1),
    () => native.defineFunction(token, "f", 0, flags, 0, 0, 5 as never),
    () => native.defineCollation(token, 5 as never, null),
    () => native.defineCollation(token, "mine", 5 as never),
  ])
    expect(codeOf(work)).toBe("ERR_INVALID_ARG_TYPE");
});

it("a thread that ends with functions, in the midst of a group, takes nothing with it", async () => {
  const thread = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const Database = require(workerData.engine);
     const native = require(workerData.native);
     const db = new Database(":memory:");
     const token = native.attach(db);
     native.defineFunction(token, "f", 1, 0, 1, 0, (what) => (what === 1 ? null : 1));
     native.defineCollation(token, "mine", () => 0);
     const rows = db.prepare("SELECT f(column1) FROM (VALUES (1), (2)) GROUP BY column1").iterate();
     rows.next();
     parentPort.postMessage("ready");
     setInterval(() => rows, 1000);`,
    {
      eval: true,
      workerData: { engine: require.resolve("better-sqlite3"), native: require.resolve("../index.cjs") },
    },
  );
  onTestFinished(() => void thread.terminate());
  const ready = new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  expect(await ready).toBe("ready");
  expect(await thread.terminate()).toBe(1);
});

it("limits and switches are set and told, and what is none is refused", () => {
  using handle = open();
  const { db, token } = handle;
  const before = native.limit(token, 9, 3);
  expect(before).toBeGreaterThan(1000);
  expect(native.limit(token, 9, -1)).toBe(3);
  expect(() => db.prepare("SELECT ?, ?, ?, ?")).toThrow("too many SQL variables");
  expect(native.limit(token, 999, 1)).toBe(-1);
  expect(native.config(token, 1013)).toBe(false);
  expect(native.config(token, 1013, true)).toBe(true);
  expect(db.prepare('SELECT "text"').pluck().get()).toBe("text");
  for (const op of [1000, 1001, 1023, 5]) expect(codeOf(() => native.config(token, op))).toBe("SQLITE_ERROR");
  expect(codeOf(() => native.limit(token, "1" as never, 1))).toBe("ERR_INVALID_ARG_TYPE");
  expect(codeOf(() => native.config(token, "1" as never))).toBe("ERR_INVALID_ARG_TYPE");
  expect(codeOf(() => native.config(token, 1013, 1 as never))).toBe("ERR_INVALID_ARG_TYPE");
});

it("events are recorded in their order, each once, and only those that are wanted", () => {
  using handle = open();
  const { db, token } = handle;
  db.exec("create table t (a); create table u (b)");
  const take = (): unknown => {
    const log = native.takeEvents(token);
    if (log === null) return null;
    const events = [...new Int32Array(log.events)];
    const rowids = new BigInt64Array(log.rowids);
    return events.map((event, at) =>
      event < 2
        ? ["commit", "rollback"][event]
        : `${event & 255} ${log.tables[event >> 8]?.join(".")} ${rowids[at]}`,
    );
  };
  expect(take()).toBeNull();
  native.recordEvents(token, 7);
  db.exec("insert into t values (1), (2); begin; insert into u values (1); delete from t; rollback");
  expect(take()).toEqual([
    "18 main.t 1",
    "18 main.t 2",
    "commit",
    "18 main.u 1",
    "9 main.t 1",
    "9 main.t 2",
    "rollback",
  ]);
  expect(take()).toBeNull();
  native.recordEvents(token, 2);
  db.exec("insert into t values (3)");
  expect(take()).toEqual(["commit"]);
  native.trackChanges(token, true);
  db.exec("insert into t values (4)");
  expect(take()).toEqual(["commit"]);
  expect(native.takeChanges(token)).toEqual([{ database: "main", table: "t", rowids: [4n] }]);
  native.recordEvents(token, 0);
  db.exec("insert into t values (5)");
  expect(take()).toBeNull();
  expect(native.takeChanges(token)).toHaveLength(1);
  expect(codeOf(() => native.recordEvents(token, 8))).toBe("ERR_INVALID_ARG_TYPE");
});

it("a blob is read and written in pieces, and is closed with its handle", () => {
  const handle = open();
  const { db, token } = handle;
  db.exec("create table t (b); insert into t values (x'0001020304')");
  const blob = native.blobOpen(token, "main", "t", "b", 1n, true);
  expect(blob).toEqual({ id: 1, bytes: 5 });
  const bytes = new Uint8Array(2);
  native.blobRead(token, blob.id, bytes, 3);
  expect([...bytes]).toEqual([3, 4]);
  native.blobWrite(token, blob.id, new Uint8Array([9]), 0);
  expect(db.prepare("select hex(b) from t").pluck().get()).toBe("0901020304");
  expect(codeOf(() => native.blobRead(token, blob.id, bytes, 4))).toBe("SQLITE_ERROR");
  expect(codeOf(() => native.blobRead(token, 7, bytes, 0))).toBe("ERR_SQLITE_AIO_NATIVE_FINALIZED");
  expect(codeOf(() => native.blobOpen(token, "main", "t", "b", 2n, true))).toBe("SQLITE_ERROR");
  for (const work of [
    () => native.blobOpen(token, "main", "t", "b", 1 as never, true),
    () => native.blobOpen(token, "main", "t", "b", 2n ** 64n, true),
    () => native.blobOpen(token, "main", "t", 5 as never, 1n, true),
    () => native.blobOpen(token, "main", "t", "b", 1n, 1 as never),
    () => native.blobRead(token, "1" as never, bytes, 0),
    () => native.blobRead(token, blob.id, [] as never, 0),
    () => native.blobRead(token, blob.id, bytes, -1),
    () => native.blobClose(token, "1" as never),
  ])
    expect(codeOf(work)).toBe("ERR_INVALID_ARG_TYPE");
  handle[Symbol.dispose]();
  expect(codeOf(() => native.blobClose(token, blob.id))).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
});

it("engines that are gone leave their place to others, however many there were", () => {
  const root = dirname(require.resolve("better-sqlite3/package.json"));
  const [binding] = globSync(`prebuilds/${process.platform}-${process.arch}.node`, { cwd: root });
  const folder = mkdtempSync(join(tmpdir(), "engines-"));
  onTestFinished(() => removeUnlessLoaded(folder));
  for (let i = 0; i < 6; i++) {
    const nativeBinding = join(folder, `engine-${i}.node`);
    copyFileSync(join(root, binding!), nativeBinding);
    const db = new Database(":memory:", { nativeBinding });
    native.defineFunction(native.attach(db), "f", 1, flags, 0, 0, (value: number) => value + i);
    expect(db.prepare("SELECT f(10)").pluck().get()).toBe(10 + i);
    db.close();
  }
});
