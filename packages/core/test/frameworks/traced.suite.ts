import { cp } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databaseAt, filesOf } from "./document.ts";
import { deploy, emptyFolder, Installation, runNode } from "./installation.ts";
import { Server } from "./server.ts";
import { BUILDER_IMPORTS, BUILDER_QUERIES, BUILDER_REQUIRES, BUILT_QUERIES } from "./subpaths.ts";
import { traced } from "./versions.ts";
import { isCheckpointed } from "./written.ts";

/** What a deployed program answers: it has its thread, the engine and the companion. */
const ANSWER = { sum: 2, interrupt: true };

const QUERY = `
async function answer() {
  const pool = await createPool(":memory:");
  const row = await pool.get("SELECT 1 + 1 AS sum");
  await pool.close();
  return { ...row, interrupt: capabilities.interrupt };
}`;

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.of(traced, "commonjs");
});

afterAll(() => installation.remove());

describe("@vercel/nft finds all that is needed by", () => {
  const print = (query: string): string => `\n${query}().then((said) => console.log(JSON.stringify(said)));`;

  it.each([
    [
      "main.mjs",
      `import { capabilities, createPool } from "@sqlite-aio/core";${QUERY}${print("answer")}`,
      ANSWER,
    ],
    [
      "main.cjs",
      `const { capabilities, createPool } = require("@sqlite-aio/core");${QUERY}${print("answer")}`,
      ANSWER,
    ],
    ["builders.mjs", `${BUILDER_IMPORTS}${BUILDER_QUERIES}${print("builders")}`, BUILT_QUERIES],
    ["builders.cjs", `${BUILDER_REQUIRES}${BUILDER_QUERIES}${print("builders")}`, BUILT_QUERIES],
  ])("%s", async (name, program, expected) => {
    const project = await installation.project({ [name]: program });
    const { nodeFileTrace } = (await import(
      pathToFileURL(installation.file("@vercel/nft/out/index.js")).href
    )) as {
      nodeFileTrace: (files: string[], options: { base: string }) => Promise<{ fileList: Set<string> }>;
    };
    const base = installation.folder;
    const { fileList } = await nodeFileTrace([join(project, name)], { base });
    const folder = await emptyFolder();
    for (const file of fileList) await cp(join(base, file), join(folder, file), { recursive: true });
    const main = join(folder, relative(base, project), name);
    expect(JSON.parse((await runNode(dirname(main), name)).trim())).toEqual(expected);
  });
});

describe("Nitro, by docs/frameworks.md", () => {
  it("brings all along into its output, and closes the pool when it is told to end", async () => {
    const project = await installation.project({
      "package.json": '{ "private": true, "type": "module" }',
      ...databaseAt("utils/database.js"),
      ...filesOf("Nitro and Nuxt"),
      "routes/answer.js": `
        import { capabilities, createPool } from "@sqlite-aio/core";
        ${QUERY}
        export default defineEventHandler(answer);`,
      "routes/builders.js": `${BUILDER_IMPORTS}${BUILDER_QUERIES}
        export default defineEventHandler(builders);`,
    });
    await installation.run("nitropack/dist/cli/index.mjs", ["build"], project);
    const folder = await deploy(join(project, ".output"));
    const server = await Server.start(folder, ["server/index.mjs"], /Listening on/);
    expect(await server.ask("/answer")).toEqual(ANSWER);
    expect(await server.ask("/builders")).toEqual(BUILT_QUERIES);
    expect([await server.ask("/visits"), await server.ask("/visits")]).toEqual([
      { visits: 1 },
      { visits: 2 },
    ]);
    expect(await server.terminate()).toBe(0);
    expect(await isCheckpointed(join(folder, "app.db"))).toBe(true);
  });
});
