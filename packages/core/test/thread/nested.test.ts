import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { capabilities } from "@sqlite-aio/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEngine, temporaryPath } from "../support/database.ts";

const file = new URL("../fixtures/nested-worker.mjs", import.meta.url);
const NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

/** A Worker of the user's, and the first thing that it says. */
async function begin(how: string, path: string, long: string): Promise<{ worker: Worker; said: unknown }> {
  const worker = new Worker(file, { workerData: { how, path, long } });
  onTestFinished(async () => void (await worker.terminate()));
  worker.on("error", () => {});
  const [said] = (await once(worker, "message")) as [unknown];
  return { worker, said };
}

/** The contents of the file, which no thread may still lock. */
function kept(path: string): unknown[] {
  const engine = openEngine(path);
  engine.exec("INSERT INTO t VALUES ('after')");
  return engine.prepare("SELECT a FROM t").pluck().all();
}

describe.runIf(capabilities.interrupt)(
  "a Worker of the user's whose connections are in statements without end",
  () => {
    it.each(["idle", "busy", "turning"])("is terminated at once: %s", async (how) => {
      const path = await temporaryPath();
      const { worker } = await begin(how, path, NUMBERS);
      expect(await worker.terminate()).toBe(1);
      expect(kept(path)).toEqual(["kept", "after"]);
    });

    it.each([
      ["exit", 3],
      ["throw", 1],
    ])("ends at once: %s", async (how, expected) => {
      const path = await temporaryPath();
      const { worker } = await begin(how, path, NUMBERS);
      const exited = new Promise((resolve) => worker.once("exit", resolve));
      worker.postMessage("go");
      expect(await exited).toBe(expected);
      expect(kept(path)).toEqual(["kept", "after"]);
    });

    it("gives them up by a signal", async () => {
      const { said } = await begin("signal", await temporaryPath(), NUMBERS);
      expect(said).toEqual(["enough", "enough"]);
    });
  },
);

describe.runIf(!capabilities.interrupt)("without the native companion a Worker of the user's", () => {
  it("is terminated when the statement of each thread is over, and nothing is half written", async () => {
    const path = await temporaryPath();
    const { worker } = await begin("idle", path, NUMBERS.replace("FROM n)", "FROM n LIMIT 3000000)"));
    expect(await worker.terminate()).toBe(1);
    const [first, ...rows] = kept(path);
    // The write was done, or was not begun.
    expect([first, rows.length]).toEqual(["kept", rows.length === 1 ? 1 : 3_000_001]);
  });
});
