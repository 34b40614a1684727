import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { codeOf, Database, native, open } from "./engine.ts";
import { Thread } from "./thread.ts";

const { SELECT, READ, INSERT, DELETE, CREATE_TABLE } = {
  SELECT: 21,
  READ: 20,
  INSERT: 18,
  DELETE: 9,
  CREATE_TABLE: 2,
};
const [OK, DENY, IGNORE] = [0, 1, 2] as const;

function withTable() {
  const handle = open();
  handle.db.exec("create table t (a, b); insert into t values (1, 2); create view v as select b from t");
  return handle;
}

test("the authorizer is asked for everything a statement does, with SQLite's five arguments", () => {
  using handle = withTable();
  const asked: unknown[] = [];
  native.setAuthorizer(handle.token, (...all) => {
    asked.push(all);
    return OK;
  });
  handle.db.prepare("select a from t");
  expect(asked.splice(0)).toEqual([
    [SELECT, null, null, null, null],
    [READ, "t", "a", "main", null],
  ]);
  handle.db.prepare("select b from v");
  expect(asked.splice(0)).toContainEqual([READ, "t", "b", "main", "v"]);
  handle.db.exec("create table ü (x)");
  expect(asked).toContainEqual([CREATE_TABLE, "ü", null, "main", null]);
  expect(asked).toContainEqual([INSERT, "sqlite_master", null, "main", null]);
});

test("a denied action fails the prepare with SQLITE_AUTH and leaves the handle usable", () => {
  using handle = withTable();
  native.setAuthorizer(handle.token, (action) => (action === DELETE ? DENY : OK));
  expect(codeOf(() => handle.db.prepare("delete from t where a = 1"))).toBe("SQLITE_AUTH");
  expect(() => handle.db.prepare("delete from t where a = 1")).toThrow("not authorized");
  expect(handle.db.prepare("select a from t").pluck().get()).toBe(1);
});

test("an ignored column reads as NULL", () => {
  using handle = withTable();
  native.setAuthorizer(handle.token, (action, _, column) =>
    action === READ && column === "a" ? IGNORE : OK,
  );
  expect(handle.db.prepare("select a, b from t").raw().all()).toEqual([[null, 2]]);
});

test("a throwing authorizer denies, and its error appears nowhere", () => {
  using handle = withTable();
  native.setAuthorizer(handle.token, () => {
    throw new RangeError("from the authorizer");
  });
  for (let round = 0; round < 3; round++) {
    expect(() => handle.db.prepare("select a from t")).toThrow(/not authorized/);
    expect(() => handle.db.exec("insert into t values (3, 4)")).toThrow(/not authorized/);
  }
  native.setAuthorizer(handle.token, null);
  expect(handle.db.prepare("select count(*) from t").pluck().get()).toBe(1);
});

test("anything but 0, 1 and 2 denies", () => {
  using handle = withTable();
  for (const answer of [undefined, null, true, "0", 0n, 3, -1, 0.5, Number.NaN, {}, Promise.resolve(0)]) {
    native.setAuthorizer(handle.token, () => answer as number);
    expect(
      codeOf(() => handle.db.prepare("select a from t")),
      typeof answer,
    ).toBe("SQLITE_AUTH");
  }
});

test("installing, replacing and removing an authorizer applies to statements prepared before", () => {
  using handle = withTable();
  const select = handle.db.prepare("select a, b from t").raw();
  const hide = (hidden: string) => (_action: number, _table: string | null, column: string | null) =>
    column === hidden ? IGNORE : OK;
  expect(select.all()).toEqual([[1, 2]]);
  native.setAuthorizer(handle.token, hide("a"));
  expect(select.all()).toEqual([[null, 2]]);
  native.setAuthorizer(handle.token, hide("b"));
  expect(select.all()).toEqual([[1, null]]);
  native.setAuthorizer(handle.token, null);
  expect(select.all()).toEqual([[1, 2]]);
});

test("each handle has an authorizer of its own", () => {
  using one = withTable();
  using other = withTable();
  native.setAuthorizer(one.token, () => DENY);
  expect(codeOf(() => one.db.prepare("select a from t"))).toBe("SQLITE_AUTH");
  expect(other.db.prepare("select a from t").pluck().get()).toBe(1);
});

test("an authorizer that nothing else refers to survives the garbage collector until it is replaced", async () => {
  using handle = withTable();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const install = () => {
    const authorizer = (action: number) => (action === READ ? IGNORE : OK);
    native.setAuthorizer(handle.token, authorizer);
    return new WeakRef(authorizer);
  };
  const installed = install();
  // A WeakRef keeps its target until the current job has ended.
  await new Promise(setImmediate);
  collect();
  expect(handle.db.prepare("select a from t").pluck().get()).toBeNull();
  native.setAuthorizer(handle.token, () => OK);
  await new Promise(setImmediate);
  collect();
  expect(installed.deref()).toBeUndefined();
});

test("inside an authorizer the handle prepares nothing and the addon refuses it", () => {
  using handle = withTable();
  const codes: unknown[] = [];
  native.setAuthorizer(handle.token, () => {
    codes.push(codeOf(() => handle.db.prepare("select 1")));
    codes.push(codeOf(() => native.setAuthorizer(handle.token, null)));
    codes.push(codeOf(() => native.analyze(handle.token, "select 1")));
    return OK;
  });
  handle.db.prepare("select 2");
  expect(codes).toEqual(["SQLITE_AUTH", "ERR_SQLITE_AIO_NATIVE_BUSY", "ERR_SQLITE_AIO_NATIVE_BUSY"]);
});

test("an authorizer works in a thread, and the thread may end with it installed", async () => {
  const thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  expect(await thread.order({ kind: "authorize" })).toEqual([
    [SELECT, null, null, null, null],
    [READ, "t", "a", "main", null],
  ]);
  await thread.terminate();
  expect(native.interrupt(token)).toBe(false);
});

test("only the thread that opened a handle can do more than interrupt it", async () => {
  await using thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  for (const call of [
    () => native.setAuthorizer(token, null),
    () => native.trackChanges(token, true),
    () => native.takeChanges(token),
    () => native.markChanged(token, "main", "t"),
    () => native.analyze(token, "select 1"),
  ]) {
    expect(codeOf(call), String(call)).toBe("ERR_SQLITE_AIO_NATIVE_THREAD");
  }
});

test("the token of a closed handle is refused by everything but interrupt", () => {
  const { db, token } = open();
  native.setAuthorizer(token, () => OK);
  native.trackChanges(token, true);
  db.exec("begin; create table t (a); insert into t values (1)");
  db.close();
  for (const call of [
    () => native.setAuthorizer(token, null),
    () => native.trackChanges(token, true),
    () => native.takeChanges(token),
    () => native.markChanged(token, "main", "t"),
    () => native.analyze(token, "select 1"),
  ]) {
    expect(codeOf(call), String(call)).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
  }
});

test("arguments of the wrong type are refused", () => {
  using handle = open();
  const { token } = handle;
  const wrong = undefined as never;
  for (const call of [
    () => native.setAuthorizer(token, wrong),
    () => native.setAuthorizer(wrong, null),
    () => native.trackChanges(token, wrong),
    () => native.trackChanges(token, true, -1),
    () => native.trackChanges(token, true, 1e7),
    () => native.markChanged(token, "main", wrong),
    () => native.analyze(token, wrong),
    () => native.takeChanges(wrong),
  ]) {
    expect(codeOf(call), String(call)).toBe("ERR_INVALID_ARG_TYPE");
  }
});

test("a handle into which the extension was loaded by hand has a token too", () => {
  const db = new Database(":memory:");
  db.loadExtension(native.path);
  const token = native.lastToken();
  expect(token).not.toBeNull();
  native.setAuthorizer(token!, () => DENY);
  expect(codeOf(() => db.prepare("select 1"))).toBe("SQLITE_AUTH");
  db.close();
  expect(native.interrupt(token!)).toBe(false);
});
