import { capabilities, createPool, NotSupportedError } from "@sqlite-aio/core";
import { expect, it, vi } from "vitest";
import { open, rejection } from "../support/database.ts";
import { holds } from "../support/pool-support.ts";
// The promises about signals, timeouts and interrupt() hold without the companion too.
import "../connection/cancel.test.ts";
import "../connection/locks.test.ts";

// Before anything is imported, and for the threads, which take the environment over.
vi.hoisted(() => {
  process.env["SQLITE_AIO_NATIVE"] = "off";
});

it("says what it cannot do", () => {
  expect(capabilities).toEqual({
    interrupt: false,
    authorizer: false,
    progressHandler: false,
    changes: false,
    limits: false,
    hooks: false,
    functions: false,
    collations: false,
    blobs: false,
    images: false,
    sharedMemory: false,
    immutable: false,
  });
});

it("refuses what needs the native companion, naming the package", async () => {
  const db = await open();
  await using pool = await createPool(":memory:");
  for (const call of [
    () => db.setProgressHandler(() => 0, 100),
    () => db.setProgressHandler(null, 100),
    () => db.setAuthorizer(() => 0),
    () => db.setAuthorizer(null),
    async () => pool.on("change", () => {}),
    async () => pool.once("change", () => {}),
    () => pool.watch("SELECT 1").next(),
  ]) {
    const error = await rejection(call);
    expect(error, String(call)).toBeInstanceOf(NotSupportedError);
    expect((error as Error).message, String(call)).toContain("@sqlite-aio/native");
  }
  expect(await db.executeFetchall("SELECT 1")).toEqual([[1]]);
});

it("rows that come after their call was given up are let go of, of a query as of a later chunk", async () => {
  const db = await open(":memory:", { iterChunkSize: 2 });
  const held = await holds(db);
  await db.execute("CREATE TABLE t (a)");
  const dropped = async (n: number, call: Promise<unknown>, controller: AbortController): Promise<void> => {
    const given = rejection(call);
    await held.entered(n);
    controller.abort();
    expect(await given).toBe(controller.signal.reason);
    await held.release(n);
    // As long as a cursor is half read the table cannot be dropped.
    await db.execute("DROP TABLE t");
    await db.execute("CREATE TABLE t (a)");
  };
  const first = new AbortController();
  const rest = "SELECT 1 UNION ALL VALUES (2), (3), (4), (5), (6), (7)";
  const query = `SELECT hold(?) UNION ALL ${rest} UNION ALL SELECT a FROM t`;
  await dropped(0, db.execute(query, [held.name(0)], { signal: first.signal }), first);
  const second = new AbortController();
  const cursor = await db.execute(
    `VALUES (1), (2), (3) UNION ALL SELECT hold(?) UNION ALL ${rest} UNION ALL SELECT a FROM t`,
    [held.name(1)],
  );
  await dropped(1, cursor.fetchmany(4, { signal: second.signal }), second);
  const half = await db.execute(`${rest} UNION ALL SELECT a FROM t`);
  for (const call of [
    (signal: AbortSignal) => db.execute(`${rest} UNION ALL SELECT a FROM t`, [], { signal }),
    (signal: AbortSignal) => half.fetchmany(4, { signal }),
  ]) {
    const third = new AbortController();
    const given = rejection(call(third.signal));
    // It is sent at the end of this tick, and the answer comes while this thread has no time for it.
    await new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    third.abort();
    expect(await given).toBe(third.signal.reason);
  }
  // Answered behind it.
  await db.execute("SELECT 1");
  await db.execute("DROP TABLE t");
});
