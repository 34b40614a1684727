import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BESIDE, deploy, entryCjs, makeProject, missing, PLAIN, tool, works } from "./project.ts";

/** How to run a bundler. */
interface Bundler {
  readonly name: string;
  readonly format: "module" | "commonjs";
  /** Bundles `main.js` into `out/`, with these packages left outside. */
  build(folder: string, external: readonly string[]): Promise<unknown>;
  /** The same, with the thread's file as a second entry, beside the program. */
  buildTwo(folder: string, external: readonly string[]): Promise<unknown>;
  /** The file of a second entry is not found unless `createWorker` names it. */
  readonly needsCreateWorker?: boolean;
}

const WHOLE = ["@sqlite-aio/core", "better-sqlite3"];
const ENGINE = ["better-sqlite3", "@sqlite-aio/native"];
const THREAD = "sqlite-aio-thread";
const ONE = { main: "./main.js" };
const TWO = { ...ONE, [THREAD]: "@sqlite-aio/worker/entry" };
const json = JSON.stringify;

type Entries = Readonly<Record<string, string>>;
type Config = (entries: Entries, external: readonly string[]) => string;

/** Runs a bundler with a configuration file. */
function configured(command: string, args: readonly string[], config: Config) {
  const build = async (folder: string, entries: Entries, external: readonly string[]): Promise<unknown> => {
    const file = join(folder, `${command}.config.mjs`);
    await writeFile(file, config(entries, external));
    return await tool(folder, command, ...args, file);
  };
  return {
    build: (folder: string, external: readonly string[]) => build(folder, ONE, external),
    buildTwo: (folder: string, external: readonly string[]) => build(folder, TWO, external),
  };
}

function esbuild(format: "esm" | "cjs") {
  const build = (folder: string, entries: Entries, external: readonly string[]): Promise<unknown> =>
    tool(
      folder,
      "esbuild",
      ...Object.entries(entries).map(([name, file]) => `${name}=${file}`),
      "--bundle",
      "--platform=node",
      `--format=${format}`,
      "--outdir=out",
      "--log-level=error",
      ...external.map((name) => `--external:${name}`),
    );
  return {
    build: (folder: string, external: readonly string[]) => build(folder, ONE, external),
    buildTwo: (folder: string, external: readonly string[]) => build(folder, TWO, external),
  };
}

const rollup: Config = (entries, external) => `
import resolve from "@rollup/plugin-node-resolve";
import commonjs from "@rollup/plugin-commonjs";
export default {
  input: ${json(entries)},
  external: [/^node:/, ...${json(external)}],
  plugins: [resolve({ preferBuiltins: true }), commonjs()],
  output: { dir: "out", format: "esm" },
};`;

const rolldown =
  (format: string): Config =>
  (entries, external) =>
    `
export default {
  input: ${json(entries)},
  platform: "node",
  external: ${json(external)},
  output: { dir: "out", format: "${format}" },
};`;

const vite: Config = (entries, external) => `
export default {
  build: { ssr: true, outDir: "out", rollupOptions: { input: ${json(entries)} } },
  ssr: { noExternal: true, external: ${json(external)} },
  logLevel: "warn",
};`;

const webpack =
  (format: "module" | "commonjs"): Config =>
  (entries, external) =>
    `
export default {
  mode: "production",
  target: "node22",
  entry: ${json(entries)},
  ${format === "module" ? "experiments: { outputModule: true }," : ""}
  output: { path: import.meta.dirname + "/out", filename: "[name].js", module: ${format === "module"} },
  externals: Object.fromEntries(${json(external)}.map((name) => [name, "${format === "module" ? "module" : "commonjs"} " + name])),
  infrastructureLogging: { level: "error" },
};`;

const bundlers: Bundler[] = [
  { name: "esbuild to ESM", format: "module", ...esbuild("esm") },
  { name: "esbuild to CommonJS", format: "commonjs", ...esbuild("cjs") },
  { name: "Rollup", format: "module", ...configured("rollup", ["--silent", "-c"], rollup) },
  { name: "Rolldown to ESM", format: "module", ...configured("rolldown", ["-c"], rolldown("esm")) },
  { name: "Rolldown to CommonJS", format: "commonjs", ...configured("rolldown", ["-c"], rolldown("cjs")) },
  { name: "Vite SSR", format: "module", ...configured("vite", ["build", "--config"], vite) },
  {
    name: "webpack to ESM",
    format: "module",
    needsCreateWorker: true,
    ...configured("webpack", ["--config"], webpack("module")),
  },
  {
    name: "webpack to CommonJS",
    format: "commonjs",
    needsCreateWorker: true,
    ...configured("webpack", ["--config"], webpack("commonjs")),
  },
];

describe.each(bundlers)("$name", ({ format, build, buildTwo, needsCreateWorker }) => {
  const beside = (file: string): string =>
    BESIDE(file, format === "module" ? "import.meta.dirname" : "__dirname");

  it("works with the library external, which stays in node_modules", async () => {
    const folder = await makeProject({ "main.js": PLAIN });
    await build(folder, WHOLE);
    expect(await deploy(folder, format, "whole")).toEqual(works);
  });

  it("into one file fails at connect(), with an error that names the fix", async () => {
    const folder = await makeProject({ "main.js": PLAIN });
    await build(folder, ENGINE);
    expect(await deploy(folder, format, "bare")).toMatchObject(missing);
  });

  it("into one file works with createWorker and the thread's file beside it", async () => {
    const folder = await makeProject({ "main.js": beside("entry.cjs") });
    await build(folder, ENGINE);
    await cp(entryCjs, join(folder, "out/entry.cjs"));
    expect(await deploy(folder, format, "bare")).toEqual(works);
  });

  it(`works with the thread's file as a second entry${needsCreateWorker ? " and createWorker" : ""}`, async () => {
    const folder = await makeProject({ "main.js": needsCreateWorker ? beside(`${THREAD}.js`) : PLAIN });
    await buildTwo(folder, ENGINE);
    expect(await deploy(folder, format, "bare")).toEqual(works);
  });
});

describe("Vite SSR, as it is set up by itself", () => {
  it("leaves what is in node_modules outside, so that it works", async () => {
    const folder = await makeProject({
      "main.js": PLAIN,
      "vite.config.mjs": 'export default { build: { ssr: "main.js", outDir: "out" }, logLevel: "warn" };',
    });
    await tool(folder, "vite", "build");
    expect(await deploy(folder, "module", "whole")).toEqual(works);
  });
});
