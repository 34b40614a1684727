import { expect, it } from "vitest";
import { type Engine, open, openEngine, temporaryPath } from "../support/database.ts";

/** A file without a log, whose reader keeps every COMMIT waiting until it is let go. */
async function withReader(): Promise<{ path: string; reader: Engine }> {
  const path = await temporaryPath();
  const reader = openEngine(path);
  reader.exec("CREATE TABLE t (x); INSERT INTO t VALUES (0)");
  return { path, reader };
}

it("what was called before a commit() is answered while that waits for a lock", async () => {
  const { path, reader } = await withReader();
  const db = await open(path, { isolationLevel: null });
  await db.execute("BEGIN IMMEDIATE");
  await db.execute("INSERT INTO t VALUES (1)");
  reader.exec("BEGIN; SELECT * FROM t");
  const call = db.executeFetchall("SELECT max(x) FROM t");
  let committed = false;
  const commit = db.commit().then(() => (committed = true));
  expect(await call).toEqual([[1]]);
  expect(committed).toBe(false);
  reader.exec("COMMIT");
  await commit;
});

it("what a transaction() has called last is answered while its COMMIT waits for a lock", async () => {
  const { path, reader } = await withReader();
  const db = await open(path);
  let call: Promise<unknown> | undefined;
  let committed = false;
  const transaction = db
    .transaction(
      async (tx) => {
        await tx.execute("INSERT INTO t VALUES (1)");
        reader.exec("BEGIN; SELECT * FROM t");
        call = tx.executeFetchall("SELECT max(x) FROM t");
      },
      { mode: "immediate" },
    )
    .then(() => (committed = true));
  await expect.poll(() => call).toBeDefined();
  expect(await call).toEqual([[1]]);
  expect(committed).toBe(false);
  reader.exec("COMMIT");
  await transaction;
});
