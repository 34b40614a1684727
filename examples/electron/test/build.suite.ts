import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "..");
const read = (path: string): Promise<string> => readFile(join(folder, "out", path), "utf8");

describe("the app", () => {
  it("compiles against the types of Electron and of the packed packages", async () => {
    const tsc = join(folder, "../../node_modules/.bin/tsc");
    const { stdout } = await promisify(execFile)(tsc, ["-p", folder]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe("");
  });
});

describe("electron-vite", () => {
  it("makes a main process that leaves the library and the engine outside", async () => {
    expect(await readdir(join(folder, "out/main"))).toEqual(["index.js"]);
    const code = await read("main/index.js");
    const imported = Array.from(code.matchAll(/^import .*? from "([^"]+)";$/gm), ([, name = ""]) => name);
    expect(imported.filter((name) => !isBuiltin(name)).toSorted()).toEqual([
      "@sqlite-aio/core",
      "@sqlite-aio/core/electron",
      "@streamparser/json",
      "electron",
    ]);
    expect(code).toMatch(/resolve\$?\d*\("@sqlite-aio\/worker\/entry\.cjs"\)/);
    expect(code).not.toMatch(/better-sqlite3|prebuilds/);
  });

  it("makes a preload script of one file that requires nothing but Electron", async () => {
    expect(await readdir(join(folder, "out/preload"))).toEqual(["index.cjs"]);
    const code = await read("preload/index.cjs");
    const required = Array.from(code.matchAll(/require\("([^"]+)"\)/g), ([, name]) => name);
    expect(required).toEqual(["electron"]);
    expect(code).not.toMatch(/^(?:import|export) /m);
  });

  it("makes a page whose scripts and styles are its own files, with a strict policy", async () => {
    const html = await read("renderer/index.html");
    const policy =
      "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'";
    expect(html.replaceAll("&#39;", "'")).toContain(
      `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    );
    expect(html).toMatch(/<script [^>]*src="\.\/assets\/[^"]+\.js"><\/script>/);
    expect(html).toMatch(/<link rel="stylesheet"[^>]* href="\.\/assets\/[^"]+\.css">/);
  });
});
