import { encodePacket, Mode, Op } from "@sqlite-aio/worker/wire";
import { expect, it, onTestFinished } from "vitest";
import { interrupted } from "../../dist/errors/rejection.js";
import { Call } from "../../dist/thread/call.js";
import { WorkerThread } from "../../dist/thread/worker-thread.js";
import { resolveOptions } from "../../dist/options/connect-options.js";
import { open, openEngine, temporaryPath } from "../support/database.ts";
import { gate } from "../support/gate.ts";

it("a batch of executemany does not run when the one before it was given up before its turn", async () => {
  const path = await temporaryPath();
  const engine = openEngine(path);
  engine.exec("CREATE TABLE t (x)");
  const { channel } = await WorkerThread.open(resolveOptions(path, {}).thread);
  onTestFinished(() => channel.close());
  const slow =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT count(*) FROM n";
  const job = channel.nextNumber();
  const batch = (x: number): Call =>
    new Call(Op.MANY, channel.statements.get("INSERT INTO t VALUES (?)"), [
      0,
      encodePacket([[x], [x + 1]], 1, "auto", []),
      job,
    ]);
  const running = new Call(Op.QUERY, channel.statements.get(slow), [Mode.ALL, 0, 0, -1, 1, 1_000_000]);
  const [first, second] = [batch(1), batch(3)];
  for (const call of [running, first, second]) channel.send(call);
  channel.postNow();
  // The thread is in the middle of the first statement. Of a signal's two marks it may see one before the other.
  const reason = new Error("enough");
  expect(channel.cancel(first, reason)).toBe(true);
  await expect(first.promise).rejects.toBe(reason);
  await expect(second.promise).rejects.toBe(interrupted);
  await running.promise;
  expect(engine.prepare("SELECT count(*) FROM t").pluck().get()).toBe(0);
});

it("an executemany that is given up draws no further set of an AsyncIterable, and ends that", async () => {
  const db = await open(":memory:");
  await db.execute("CREATE TABLE t (x)");
  const controller = new AbortController();
  const reason = new Error("enough");
  const ended = gate();
  let drawn = 0;
  async function* sets(): AsyncGenerator<number[]> {
    try {
      // Would end some time in any case, or a test that fails would leave it running.
      while (drawn < 5000) {
        if (++drawn === 10) controller.abort(reason);
        yield [drawn];
      }
    } finally {
      ended.open();
    }
  }
  const work = db.executemany("INSERT INTO t VALUES (?)", sets(), { signal: controller.signal });
  await expect(work).rejects.toBe(reason);
  await ended.opened;
  expect(drawn).toBe(10);
});
