import { expect, it } from "vitest";
import { open, openEngine, temporaryPath } from "../support/database.ts";

it("a function is created although another connection has locked the file", async () => {
  const path = await temporaryPath();
  const other = openEngine(path);
  other.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
  const db = await open(path, { isolationLevel: null, timeout: 100 });
  expect(await db.executeFetchall("SELECT x FROM t")).toEqual([[1]]);
  other.exec("BEGIN EXCLUSIVE");
  await db.createFunction("twice", 1, (x: number) => 2 * x);
  expect(await db.executeFetchall("SELECT twice(2)")).toEqual([[4]]);
  other.exec("COMMIT");
  expect(await db.executeFetchall("SELECT twice(x) FROM t")).toEqual([[2]]);
});
