import { expect, it } from "vitest";
import { open, temporaryPath } from "../support/database.ts";
import { holds } from "../support/pool-support.ts";

/** Writes so much that the COMMIT takes some time. */
const WRITE = "INSERT INTO t VALUES (zeroblob(50000000))";

const COUNT = "SELECT count(*) FROM t";

/** A statement that takes a millisecond, because its thread was held up, is answered at once whatever comes next. */
const ROUNDS = 3;

/** All that one message of the thread's has answered is known then, and nothing of the next. */
async function microtasks(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

it("what was called before a commit() is answered before that is done", async () => {
  const db = await open(await temporaryPath());
  await db.execute("CREATE TABLE t (x)");
  for (let rows = 1; rows <= ROUNDS; rows++) {
    await db.execute(WRITE);
    await db.executeFetchall(COUNT);
    const call = db.executeFetchall(COUNT);
    let committed = false;
    const commit = db.commit().then(() => (committed = true));
    expect(await call).toEqual([[rows]]);
    await microtasks();
    expect(committed).toBe(false);
    await commit;
  }
});

it("what a transaction() has called last is answered before its COMMIT is done", async () => {
  const db = await open(await temporaryPath());
  await db.execute("CREATE TABLE t (x)");
  for (let rows = 1; rows <= ROUNDS; rows++) {
    const answered = Promise.withResolvers<unknown>();
    let committed = false;
    const work = db
      .transaction(async (tx) => {
        await tx.execute(WRITE);
        await tx.executeFetchall(COUNT);
        answered.resolve(tx.executeFetchall(COUNT));
      })
      .then(() => (committed = true));
    expect(await answered.promise).toEqual([[rows]]);
    await microtasks();
    expect(committed).toBe(false);
    await work;
  }
});

it("what was called before a statement that is not known to be quick is answered before that is done", async () => {
  const db = await open(":memory:");
  const held = await holds(db);
  const warm = async (): Promise<unknown> => await db.executeFetchall("SELECT 1");
  for (let i = 0; i < 3; i++) await warm();
  for (const name of [0, 1]) {
    const quick = warm();
    // The second time it is known that it was slow.
    const slow = db.executeFetchall("SELECT hold(?)", [held.name(name)]);
    expect(await quick).toEqual([[1]]);
    await held.entered(name);
    await held.release(name);
    expect(await slow).toEqual([[1]]);
  }
});
