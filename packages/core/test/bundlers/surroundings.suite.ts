import { copyFile, cp, mkdtemp, readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  BESIDE,
  deploy,
  entryCjs,
  makeProject,
  missing,
  PLAIN,
  said,
  tool,
  works,
  workshop,
} from "./project.ts";
import { versions } from "./versions.ts";

const docs = join(import.meta.dirname, "../../../../docs");
const ENGINE = ["--external:better-sqlite3", "--external:@sqlite-aio/native"];

describe("Node", () => {
  it("runs the packed packages from TypeScript, whose types it strips", async () => {
    const folder = await makeProject({
      "main.ts": `
        import { connect, type Connection } from "@sqlite-aio/core";
        const open = (path: string): Promise<Connection> => connect(path);
        const db = await open(":memory:");
        const rows: unknown[][] = await db.executeFetchall("SELECT 1 + 1");
        console.log(JSON.stringify(rows));
        await db.close();
      `,
    });
    expect(await said(process.execPath, ["main.ts"], folder)).toEqual([[2]]);
  });

  it("runs them from CommonJS, by require()", async () => {
    const folder = await makeProject({
      "main.cjs": `
        const { connect } = require("@sqlite-aio/core");
        connect(":memory:").then(async (db) => {
          console.log(JSON.stringify(await db.executeFetchall("SELECT 1 + 1")));
          await db.close();
        });
      `,
    });
    expect(await said(process.execPath, ["main.cjs"], folder)).toEqual([[2]]);
  });
});

describe("a Node single executable", () => {
  const build = async (main: string): Promise<string> => {
    const project = await makeProject({
      "main.js": main,
      "sea.json": JSON.stringify({
        main: "out/main.js",
        output: "sea.blob",
        disableExperimentalSEAWarning: true,
      }),
    });
    await tool(
      project,
      "esbuild",
      "main.js",
      "--bundle",
      "--platform=node",
      "--format=cjs",
      "--outdir=out",
      "--log-level=error",
      ...ENGINE,
    );
    await tool(project, "node", "--experimental-sea-config", "sea.json");
    const folder = await mkdtemp(join(workshop, "bare", "run-"));
    const program = join(folder, "program");
    await copyFile(process.execPath, program);
    const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
    await tool(project, "postject", program, "NODE_SEA_BLOB", "sea.blob", "--sentinel-fuse", fuse);
    return folder;
  };

  it("works with createWorker, the thread's file beside it and the engine in a node_modules there", async () => {
    const folder = await build(BESIDE("entry.cjs", 'require("node:path").dirname(process.execPath)'));
    await cp(entryCjs, join(folder, "entry.cjs"));
    expect(await said(join(folder, "program"), [], folder)).toEqual(works);
  });

  it("without them fails at connect(), with an error that names the fix", async () => {
    const folder = await build(PLAIN);
    expect(await said(join(folder, "program"), [], folder)).toMatchObject(missing);
  });
});

describe("vitest", () => {
  it("runs tests that open connections, with nothing to configure", async () => {
    const folder = await makeProject({
      "app.test.js": `
        import { connect } from "@sqlite-aio/core";
        import { expect, it } from "vitest";
        it("opens", async () => {
          const db = await connect(":memory:");
          expect(await db.executeFetchall("SELECT 1 + 1")).toEqual([[2]]);
          await db.close();
        });
      `,
      "vitest.config.js": "export default { test: { include: ['app.test.js'] } };",
    });
    expect(await tool(folder, "vitest", "run")).toContain("1 passed");
  });
});

describe("electron-vite", () => {
  const makeApp = (main: string, externalize: string): Promise<string> =>
    makeProject({
      "package.json": JSON.stringify({
        type: "module",
        main: "out/main/main.js",
        dependencies: { "@sqlite-aio/core": "*", "@sqlite-aio/worker": "*" },
      }),
      "main.js": main,
      "electron.vite.config.mjs": `
        export default {
          main: {
            build: { externalizeDeps: ${externalize}, rolldownOptions: { input: "main.js", external: ["better-sqlite3", "@sqlite-aio/native"] } },
            logLevel: "warn",
          },
        };`,
    });
  const modulePath = `
    import { Worker } from "node:worker_threads";
    import thread from "@sqlite-aio/worker/entry?modulePath";
    import { exercise } from "./exercise.js";
    exercise({ createWorker: (url, options) => new Worker(thread, options) });
  `;

  it("leaves the dependencies outside by itself, so that the main process works", async () => {
    const folder = await makeApp(PLAIN, "true");
    await tool(folder, "electron-vite", "build");
    expect(await deploy(folder, "module", "whole", "main/main.js")).toEqual(works);
  });

  it("works with the thread's file by ?modulePath, the library outside or inside", async () => {
    for (const [externalize, place] of [
      ['{ exclude: ["@sqlite-aio/worker"] }', "whole"],
      ["false", "bare"],
    ] as const) {
      const folder = await makeApp(modulePath, externalize);
      await tool(folder, "electron-vite", "build");
      expect(await deploy(folder, "module", place, "main/main.js"), externalize).toEqual(works);
    }
  });

  it("with the library inside and nothing else fails at connect(), with an error that names the fix", async () => {
    const folder = await makeApp(PLAIN, "false");
    await tool(folder, "electron-vite", "build");
    expect(await deploy(folder, "module", "bare", "main/main.js")).toMatchObject(missing);
  });
});

const tsconfig = (files: readonly string[]): string =>
  JSON.stringify({
    compilerOptions: {
      target: "es2024",
      lib: ["es2024", "esnext.disposable", "dom"],
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      types: ["node"],
    },
    files,
  });

describe("Electron", () => {
  it("has types that closeOnQuit, exposePool and the preload side take", async () => {
    const folder = await makeProject({
      "main.ts": `
        import { app, BrowserWindow, ipcMain, powerMonitor, type WebContents } from "electron";
        import { createPool, type Pool } from "@sqlite-aio/core";
        import { closeOnQuit, exposePool } from "@sqlite-aio/core/electron";
        const pool = await createPool("app.db");
        closeOnQuit(app, pool, { timeout: 1000, windows: BrowserWindow.getAllWindows(), powerMonitor });
        const webContents = new Set<WebContents>();
        const methods = {
          notes: (db: Pool, text: string) => db.iterate<{ id: number; blob: Buffer }>("SELECT ?", [text]),
        };
        export type Api = typeof methods;
        exposePool(ipcMain, pool, { methods, origins: ["app://notes"], webContents });
        exposePool(ipcMain, { count: () => pool.get<{ n: number }>("SELECT 1 AS n") });
        // @ts-expect-error -- nothing is named
        exposePool(ipcMain, pool);
      `,
      "preload.ts": `
        import { contextBridge, ipcRenderer } from "electron";
        import type { WithoutPool } from "@sqlite-aio/core/electron";
        import { createBridge, createClient } from "@sqlite-aio/core/electron/preload";
        import type { Api } from "./main.ts";
        contextBridge.exposeInMainWorld("notes", createBridge(ipcRenderer));
        const client = createClient<WithoutPool<Api>>(ipcRenderer);
        for await (const { id, blob } of client.notes("a")) {
          const both: [number, Uint8Array] = [id, blob];
          console.log(both);
        }
        // @ts-expect-error -- there is no such method
        await client.exec("DROP TABLE note");
      `,
      "tsconfig.json": tsconfig(["main.ts", "preload.ts"]),
    });
    expect(await tool(folder, "tsc", "-p", ".")).toBe("");
  });

  it("has types that the programs of docs/electron.md compile against", async () => {
    const text = await readFile(join(docs, "electron.md"), "utf8");
    const programs = [...text.matchAll(/^```typescript\n\/\/ (\w+\.ts)\n(.*?)^```$/gms)].map(
      ([, name = "", program = ""]) => [name, program] as const,
    );
    expect(programs.map(([name]) => name)).toEqual(["main.ts", "preload.ts", "page.ts"]);
    const folder = await makeProject({
      ...Object.fromEntries(programs),
      "tsconfig.json": tsconfig(programs.map(([name]) => name)),
    });
    expect(await tool(folder, "tsc", "-p", ".")).toBe("");
  });

  it("has a preload script in a sandbox, which the preload side can be bundled into", async () => {
    const folder = await makeProject({
      "preload.js": `
        import { contextBridge, ipcRenderer } from "electron";
        import { createBridge } from "@sqlite-aio/core/electron/preload";
        contextBridge.exposeInMainWorld("db", createBridge(ipcRenderer));
      `,
    });
    await tool(
      folder,
      "esbuild",
      "preload.js",
      "--bundle",
      "--platform=browser",
      "--format=cjs",
      "--external:electron",
      "--outdir=out",
    );
    const code = await readFile(join(folder, "out/preload.js"), "utf8");
    const required = [...code.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name);
    expect(required).toEqual(["electron"]);
    expect(code.length).toBeLessThan(16_000);
  });

  it("has pages, which Vite bundles the client into", async () => {
    const folder = await makeProject({
      "index.html": '<!doctype html><script type="module" src="/page.js"></script>',
      "page.js": `
        import { createClient } from "@sqlite-aio/core/electron/preload";
        const notes = createClient(window.notes);
        for await (const rows of notes.live()) document.title = rows.length;
      `,
      "vite.config.mjs": 'export default { build: { outDir: "out" }, logLevel: "warn" };',
    });
    await tool(folder, "vite", "build");
    const [file = ""] = await readdir(join(folder, "out/assets"));
    const code = await readFile(join(folder, "out/assets", file), "utf8");
    const imported = [...code.matchAll(/from\s*"([^"]+)"/g)].map(([, name = ""]) => name);
    expect(imported.filter(isBuiltin)).toEqual([]);
    expect(code.length).toBeLessThan(16_000);
  });
});

describe("docs/bundlers.md", () => {
  it("names the versions that are tried here", async () => {
    const text = await readFile(join(docs, "bundlers.md"), "utf8");
    const named = Object.entries(versions).filter(
      ([name]) => !name.startsWith("@rollup/") && name !== "webpack-cli",
    );
    expect(named.filter(([, version]) => !text.includes(version))).toEqual([]);
  });
});
