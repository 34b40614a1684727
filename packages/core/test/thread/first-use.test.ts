import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Runs a program that finds the package, and gives what it tells. */
async function told(program: string): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  return JSON.parse(stdout);
}

it("loads none of Node's modules that take long and that few programs need", async () => {
  const loaded = await told(`
    const before = new Set(process.moduleLoadList);
    require("@sqlite-aio/core");
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => !before.has(name))));
  `);
  expect(loaded).toContain("NativeModule worker_threads");
  expect(loaded).not.toContain("NativeModule crypto");
  expect(loaded).not.toContain("NativeModule fs/promises");
});

it("starts a thread from a CommonJS file, and gives createWorker the one that bundlers know", async () => {
  const names = await told(`
    const threads = require("node:worker_threads");
    const names = [];
    threads.Worker = class extends threads.Worker {
      constructor(file, options) {
        names.push(file.pathname.split("/").pop());
        super(file, options);
      }
    };
    const { connect } = require("@sqlite-aio/core");
    const createWorker = (file, options) => new threads.Worker(file, options);
    (async () => {
      for (const options of [{}, { createWorker }]) {
        const db = await connect(":memory:", options);
        names.push(...(await db.executeFetchall("SELECT 1")).flat());
        await db.close();
      }
      console.log(JSON.stringify(names));
    })();
  `);
  expect(names).toEqual(["sqlite-aio-thread.cjs", 1, "sqlite-aio-thread.js", 1]);
});
