import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { fileURLToPath, pathToFileURL } from "node:url";
import { connect, createPool } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";
import { rejection, temporaryFolder } from "../support/database.ts";

/**
 * An engine whose first handle makes a file "began", waits for a file "go", for `ms` milliseconds at most, and makes a
 * file "loaded".
 */
function slow(folder: string, ms: number): URL {
  const module = join(folder, "engine.mjs");
  writeFileSync(
    module,
    `import { existsSync, writeFileSync } from "node:fs";
    import Engine from ${JSON.stringify(new URL("../fixtures/engine.mjs", import.meta.url).href)};
    const file = (name) => ${JSON.stringify(folder)} + "/" + name;
    let first = true;
    export default class extends Engine {
      constructor(...args) {
        if (first) {
          first = false;
          writeFileSync(file("began"), "");
          const end = performance.now() + ${ms};
          while (!existsSync(file("go")) && performance.now() < end);
          writeFileSync(file("loaded"), "");
        }
        super(...args);
      }
    }`,
  );
  return pathToFileURL(module);
}

async function made(file: string): Promise<void> {
  while (!existsSync(file)) await turn();
}

/** Opens with an engine that loads for `ms` milliseconds, and gives up when it has begun to. */
async function givenUp(folder: string, ms: number): Promise<{ reason: unknown; exited: Promise<unknown> }> {
  const aborting = new AbortController();
  let worker!: Worker;
  const opening = connect(":memory:", {
    engine: slow(folder, ms),
    signal: aborting.signal,
    createWorker: (url, options) => (worker = new Worker(url, options)),
  });
  await Promise.race([made(join(folder, "began")), opening]);
  const exited = once(worker, "exit");
  aborting.abort("enough");
  return { reason: await rejection(opening), exited };
}

// A thread that is stopped in the middle of better-sqlite3's native initialization ends the whole process.
describe("a thread that loads its engine", () => {
  it("is given up at once, and ended when the engine is loaded", async () => {
    const folder = await temporaryFolder();
    const { reason, exited } = await givenUp(folder, 30_000);
    expect(reason).toBe("enough");
    expect(existsSync(join(folder, "loaded"))).toBe(false);
    writeFileSync(join(folder, "go"), "");
    await exited;
    expect(existsSync(join(folder, "loaded"))).toBe(true);
  });

  it("is ended all the same where that never comes", async () => {
    const folder = await temporaryFolder();
    const { exited } = await givenUp(folder, Number.POSITIVE_INFINITY);
    await exited;
    expect(existsSync(join(folder, "loaded"))).toBe(false);
  });

  it("loads nothing more if it is ended before", async () => {
    const folder = await temporaryFolder();
    const aborting = new AbortController();
    const opening = createPool(join(folder, "x.db"), { engine: slow(folder, 0), signal: aborting.signal });
    aborting.abort("enough");
    expect(await rejection(opening)).toBe("enough");
    expect(existsSync(join(folder, "began"))).toBe(false);
  });

  it("is waited for by the end of the process", async () => {
    const folder = await temporaryFolder();
    const program = `
      import { existsSync } from "node:fs";
      import { connect } from "@sqlite-aio/core";
      connect(":memory:", { engine: ${JSON.stringify(slow(folder, 50).href)} });
      const look = () => (existsSync(${JSON.stringify(join(folder, "began"))}) ? process.exit(0) : setImmediate(look));
      look();
    `;
    await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    expect(existsSync(join(folder, "loaded"))).toBe(true);
  });
});
