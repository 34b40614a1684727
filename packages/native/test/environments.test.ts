import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { codeOf, native, open } from "./engine.ts";
import { Thread } from "./thread.ts";

test("an environment has one number, and each Worker another", async () => {
  const number = native.environment();
  expect(number).toBeGreaterThan(0);
  expect(native.environment()).toBe(number);
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     parentPort.postMessage([require(workerData).environment(), require(workerData).environment()])`,
    { eval: true, workerData: fileURLToPath(new URL("../index.cjs", import.meta.url)) },
  );
  const [[first, second]] = (await once(worker, "message")) as [[number, number]];
  expect(first).toBe(second);
  expect(first).toBeGreaterThan(number);
  await once(worker, "exit");
});

test("a handle may end with an environment that is gone, or with none", () => {
  using handle = open();
  for (const environment of [native.environment(), 1e9, 0]) {
    native.stopWith(handle.token, environment);
    expect(handle.db.prepare("SELECT 1").pluck().get()).toBe(1);
  }
});

test("which environment a handle ends with is for its own thread to say, by a number", async () => {
  using handle = open();
  for (const wrong of ["1", -1, Number.NaN, undefined] as never[])
    expect(codeOf(() => native.stopWith(handle.token, wrong))).toBe("ERR_INVALID_ARG_TYPE");
  await using thread = new Thread();
  const token = (await thread.order({ kind: "open" })) as number;
  expect(codeOf(() => native.stopWith(token, 1))).toBe("ERR_SQLITE_AIO_NATIVE_THREAD");
  handle.db.close();
  expect(codeOf(() => native.stopWith(handle.token, 1))).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
});
