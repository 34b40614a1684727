import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { promisify } from "node:util";
import { extractAll, listPackage, statFile } from "@electron/asar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { searched } from "./expected.ts";
import { MainProcess } from "./main-process.ts";
import { makeFullProfile } from "./profile.ts";

const folder = join(import.meta.dirname, "..");
let temporary: string;
let archive: string;
let files: string[];

/** electron-builder packs the app. It is given a fake Electron, which it does not notice. */
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "flights-packed-"));
  const electron = join(temporary, "electron");
  await mkdir(join(electron, "resources"), { recursive: true });
  await writeFile(join(electron, "electron"), "", { mode: 0o755 });
  const to = join(temporary, "dist");
  const settings = [`-c.electronDist=${electron}`, `-c.directories.output=${to}`];
  const args = ["--linux", "dir", "--publish", "never", ...settings];
  await promisify(execFile)("node_modules/.bin/electron-builder", args, { cwd: folder });
  archive = join(to, "linux-unpacked/resources/app.asar");
  files = listPackage(archive, { isPack: false }).map((path) => path.replaceAll(sep, "/").slice(1));
});

afterAll(() => rm(temporary, { recursive: true }));

describe("the packed app", () => {
  it("has the thread's file, and what the app was built to, inside the archive", () => {
    expect(files).toEqual(
      expect.arrayContaining([
        "package.json",
        "out/main/index.js",
        "out/preload/index.cjs",
        "out/renderer/index.html",
        "node_modules/@sqlite-aio/worker/dist/entry.cjs",
        "node_modules/@sqlite-aio/core/dist/electron.mjs",
        "node_modules/vega-datasets/data/flights-20k.json",
      ]),
    );
    expect(statFile(archive, "node_modules/@sqlite-aio/worker/dist/entry.cjs")).not.toHaveProperty(
      "unpacked",
    );
  });

  it("has the native binaries beside the archive, those of every system among them", () => {
    const native = files.filter((path) => path.endsWith(".node"));
    const hosts = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-arm64", "win32-x64"];
    expect(native).toEqual(
      expect.arrayContaining(hosts.map((host) => `node_modules/better-sqlite3/prebuilds/${host}.node`)),
    );
    expect(native.some((path) => path.startsWith("node_modules/@sqlite-aio/native/"))).toBe(true);
    for (const path of native) expect(statFile(archive, path), path).toMatchObject({ unpacked: true });
  });

  it("has no sources of the engine, no data that it does not read, and nothing that only builds it", () => {
    const unwanted =
      /^node_modules\/(?:better-sqlite3\/(?:deps|src)\/|vega-datasets\/(?:build|src)\/|vite\/|electron\/|node-addon-api\/)/;
    expect(files.filter((path) => unwanted.test(path))).toEqual([]);
    expect(files.filter((path) => /^node_modules\/vega-datasets\/data\/./.test(path))).toEqual([
      "node_modules/vega-datasets/data/airports.csv",
      "node_modules/vega-datasets/data/flights-20k.json",
    ]);
    expect(files.filter((path) => /^(?:src|test)(?:\/|$)/.test(path))).toEqual([]);
  });

  it("has all that it needs: unpacked again, it opens its database and answers", async () => {
    const unpacked = join(temporary, "unpacked");
    extractAll(archive, unpacked);
    const app = new MainProcess(await makeFullProfile(), join(unpacked, "out/main/index.js"));
    await app.next("window");
    app.send({ type: "loaded" });
    app.send({ type: "invoke", id: 1, channel: "sqlite-aio:search", args: ["boston"] });
    expect((await app.next("answer")).value).toMatchObject({
      ok: true,
      value: { found: searched("boston").found },
    });
    app.send({ type: "close" });
    expect(await app.ended).toEqual({ code: 0, stderr: "" });
  });
});
