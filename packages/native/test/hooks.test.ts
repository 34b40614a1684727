import { expect, test } from "vitest";
import { native, open } from "./engine.ts";

const UPDATES = 1;
const COMMITS = 2;
const COMMITTED = 0;
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
