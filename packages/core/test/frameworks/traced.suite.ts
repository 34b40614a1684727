import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { ask, installed, makeProject, node } from "./project.ts";

/** What a deployed program answers: it has its thread, the engine and the companion. */
const ANSWER = { sum: 2, interrupt: true };

const QUERY = `
const opening = createPool(":memory:");
async function answer() {
  const pool = await opening;
  return { ...(await pool.get("SELECT 1 + 1 AS sum")), interrupt: capabilities.interrupt };
}`;

const SCRIPT = `${QUERY}
answer().then(async (said) => {
  console.log(JSON.stringify(said));
  await (await opening).close();
});`;

/** Where nothing but what was built is. */
async function deploy(built: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-deployed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(built, folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

it.each([
  ["main.mjs", 'import { capabilities, createPool } from "@sqlite-aio/core";'],
  ["main.cjs", 'const { capabilities, createPool } = require("@sqlite-aio/core");'],
])("@vercel/nft finds all that %s needs", async (name, load) => {
  const project = await makeProject({ [name]: `${load}${SCRIPT}` });
  const { nodeFileTrace } = (await import(
    pathToFileURL(join(installed, "node_modules/@vercel/nft/out/index.js")).href
  )) as { nodeFileTrace: (files: string[], options: { base: string }) => Promise<{ fileList: Set<string> }> };
  const { fileList } = await nodeFileTrace([join(project, name)], { base: installed });
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-deployed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const file of fileList) await cp(join(installed, file), join(folder, file), { recursive: true });
  const main = join(folder, relative(installed, project), name);
  const said = await node(dirname(main), `./${name}`);
  expect(JSON.parse(said.trim())).toEqual(ANSWER);
});

it("Nitro brings all along into its output", async () => {
  const project = await makeProject({
    "package.json": '{ "private": true, "type": "module" }',
    "nitro.config.mjs": 'export default { preset: "node-server", compatibilityDate: "2026-01-01" };',
    "routes/answer.js": `
      import { capabilities, createPool } from "@sqlite-aio/core";
      import { defineEventHandler } from "h3";
      ${QUERY}
      export default defineEventHandler(answer);`,
  });
  await node(project, "nitropack/dist/cli/index.mjs", ["build"]);
  const folder = await deploy(join(project, ".output"));
  expect(await ask(folder, "server/index.mjs", "/answer")).toEqual(ANSWER);
});

it.each(["--webpack", "--turbopack"])(
  "Next, with output: standalone and %s, brings all along where core is left outside",
  async (bundler) => {
    const project = await makeProject({
      "package.json": '{ "private": true }',
      "next.config.mjs": `
        import { dirname } from "node:path";
        const root = dirname(import.meta.dirname);
        export default {
          output: "standalone",
          serverExternalPackages: ["@sqlite-aio/core"],
          outputFileTracingRoot: root,
          turbopack: { root },
          // Nothing is built a second time.
          experimental: { turbopackFileSystemCacheForBuild: false },
          webpack: (config) => ({ ...config, cache: false }),
        };`,
      "app/layout.js": `
        export default function Layout({ children }) {
          return <html><body>{children}</body></html>;
        }`,
      "app/answer/route.js": `
        import { capabilities, createPool } from "@sqlite-aio/core";
        export const dynamic = "force-dynamic";
        ${QUERY}
        export const GET = async () => Response.json(await answer());`,
    });
    await node(project, "next/dist/bin/next", ["build", bundler]);
    const folder = await deploy(join(project, ".next/standalone"));
    expect(await ask(join(folder, relative(installed, project)), "server.js", "/answer")).toEqual(ANSWER);
  },
);
