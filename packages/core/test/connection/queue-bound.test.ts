import { expect, it } from "vitest";
import { open } from "../support/database.ts";
import { gate } from "../support/gate.ts";

const refused = { name: "QueueFullError" };

it("as many calls are let in as maxQueue says, and the next one is refused", async () => {
  const db = await open(":memory:", { maxQueue: 3 });
  const calls = [1, 2, 3].map((i) => db.executeFetchall("SELECT ?", [i]));
  await expect(db.executeFetchall("SELECT 4")).rejects.toMatchObject(refused);
  expect(await Promise.all(calls)).toEqual([[[1]], [[2]], [[3]]]);
  expect(await db.executeFetchall("SELECT 5")).toEqual([[5]]);
});

it("calls that wait for a transaction to end count for maxQueue", async () => {
  const db = await open(":memory:", { maxQueue: 2 });
  const [begun, over] = [gate(), gate()];
  const transaction = db.transaction(async () => {
    begun.open();
    await over.opened;
  });
  await begun.opened;
  const calls = [1, 2].map((i) => db.executeFetchall("SELECT ?", [i]));
  await expect(db.executeFetchall("SELECT 3")).rejects.toMatchObject(refused);
  over.open();
  await transaction;
  expect(await Promise.all(calls)).toEqual([[[1]], [[2]]]);
});

it("commit() is let in though the queue is full", async () => {
  const db = await open(":memory:", { maxQueue: 1 });
  const call = db.executeFetchall("SELECT 1");
  await db.commit();
  expect(await call).toEqual([[1]]);
});
