import { expect, test } from "vitest";
import { codeOf, native, open } from "./engine.ts";
import { wire } from "./reading.ts";

const UPDATES = 1;
const COMMITS = 2;
const ROLLBACKS = 4;
const COMMITTED = 0;
const ROLLED_BACK = 1;
const SQLITE_INSERT = 18;

/** The actions recorded since the last call. */
function actions(token: number): number[] {
  const taken = native.takeEvents(token);
  return taken === null ? [] : Array.from(new Int32Array(taken.events), (what) => what & 0xff);
}

test("what is recorded is what was asked for, and is told once", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  native.recordEvents(handle.token, COMMITS);
  handle.db.exec("insert into t values (1)");
  expect(actions(handle.token)).toEqual([COMMITTED]);
  expect(actions(handle.token)).toEqual([]);
  native.recordEvents(handle.token, UPDATES);
  handle.db.exec("insert into t values (2)");
  expect(actions(handle.token)).toEqual([SQLITE_INSERT]);
  native.recordEvents(handle.token, 0);
  handle.db.exec("insert into t values (3)");
  expect(actions(handle.token)).toEqual([]);
});

test("a commit fails if the statement that commits by itself was given up, and no other", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  const { block, cancelled, group } = wire.openControl(wire.createControl());
  const count = handle.db.prepare("select count(*) from t").pluck();
  const insert = (): unknown => codeOf(() => handle.db.exec("insert into t values (1)")) ?? "done";
  native.guardCommits(handle.token, block);
  cancelled[7] = 1;
  // Nothing commits by itself.
  expect([insert(), group[0], count.get()]).toEqual(["done", 0, 1]);
  group[1] = 7;
  expect([insert(), group[0], count.get()]).toEqual(["SQLITE_CONSTRAINT_COMMITHOOK", -7, 1]);
  cancelled[7] = 0;
  expect([insert(), group[0], count.get()]).toEqual(["done", -7, 2]);
  cancelled[7] = 1;
  native.guardCommits(handle.token, undefined);
  expect([insert(), count.get()]).toEqual(["done", 3]);
});

test("a commit that is refused is a rollback to those who listen", () => {
  using handle = open();
  handle.db.exec("create table t (a)");
  const { block, cancelled, group } = wire.openControl(wire.createControl());
  native.guardCommits(handle.token, block);
  native.recordEvents(handle.token, UPDATES + COMMITS + ROLLBACKS);
  native.trackChanges(handle.token, true);
  group[1] = 7;
  cancelled[7] = 1;
  expect(codeOf(() => handle.db.exec("insert into t values (1)"))).toBe("SQLITE_CONSTRAINT_COMMITHOOK");
  expect(actions(handle.token)).toEqual([SQLITE_INSERT, ROLLED_BACK]);
  expect(native.takeChanges(handle.token)).toBe(null);
});
