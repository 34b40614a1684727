import { afterAll, beforeAll, expect, it } from "vitest";
import { Installation, runNode } from "./installation.ts";
import { oldestNode, runners } from "./versions.ts";

const NODE = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.of({ ...runners, [NODE]: oldestNode }, "commonjs");
});

afterAll(() => installation.remove());

/** The body of a test that opens a connection and a pool, and meets an error by its class. */
const BODY = `
  const db = await connect(":memory:");
  const bytes = new Uint8Array([1, 2, 3]);
  const [[sum, blob]] = await db.executeFetchall("SELECT 1 + 1, ?", [bytes]);
  const pool = await createPool(":memory:");
  await pool.exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)");
  const error = await pool.run("INSERT INTO t VALUES (1)").catch((reason) => reason);
  const answers = [sum, [...blob], error instanceof IntegrityError, error instanceof Error];
  await pool.close();
  await db.close();
`;
const NAMES = "{ connect, createPool, IntegrityError }";
const REQUIRED = `const ${NAMES} = require("@sqlite-aio/core");`;
const IMPORTED = `import ${NAMES} from "@sqlite-aio/core";`;
const EXPECTED = `expect(answers).toEqual([2, [1, 2, 3], true, true]);`;
const ASSERTED = `assert.deepEqual(answers, [2, [1, 2, 3], true, true]);`;
const jestTest = `test("opens", async () => {${BODY}${EXPECTED}});`;

/** Theirs are of a few seconds, for a machine that does nothing else. */
const LIMIT_MS = "60000";

const jest = (folder: string): Promise<string> =>
  installation.run("jest/bin/jest.js", ["--rootDir", folder, "--testTimeout", LIMIT_MS], folder);
const passed = /Tests:\s+1 passed, 1 total/;

it("Jest 30 as it comes: CommonJS", async () => {
  const folder = await installation.project({
    "package.json": "{}",
    "a.test.js": `${REQUIRED}\n${jestTest}`,
  });
  const said = await jest(folder);
  expect(said).toMatch(passed);
  expect(said).not.toMatch(/did not exit|open handle/i);
});

it("Jest 30 with Babel, which makes CommonJS of import", async () => {
  const folder = await installation.project({
    "package.json": "{}",
    "babel.config.js":
      'module.exports = { presets: [["@babel/preset-env", { targets: { node: "current" } }]] };',
    "a.test.js": `${IMPORTED}\n${jestTest}`,
  });
  expect(await jest(folder)).toMatch(passed);
});

it("ts-jest, which checks the types of CommonJS", async () => {
  const folder = await installation.project({
    "package.json": "{}",
    "jest.config.js": 'module.exports = { preset: "ts-jest" };',
    "tsconfig.json": JSON.stringify({
      compilerOptions: { module: "node16", target: "es2022", strict: true, types: ["jest", "node"] },
    }),
    "a.test.ts": `${IMPORTED}\n${jestTest}`,
  });
  expect(await jest(folder)).toMatch(passed);
});

it.each([
  ["CommonJS", "a.test.cjs", `const assert = require("node:assert");\n${REQUIRED}`],
  ["ES modules", "a.test.mjs", `import assert from "node:assert";\n${IMPORTED}`],
])("mocha, in %s", async (_, name, load) => {
  const folder = await installation.project({
    [name]: `${load}\nit("opens", async () => {${BODY}${ASSERTED}});`,
  });
  expect(await installation.run("mocha/bin/mocha.js", ["--timeout", LIMIT_MS, name], folder)).toContain(
    "1 passing",
  );
});

it.each([
  [
    "CommonJS",
    "a.test.cjs",
    `const assert = require("node:assert");\nconst test = require("node:test");\n${REQUIRED}`,
  ],
  [
    "ES modules",
    "a.test.mjs",
    `import assert from "node:assert";\nimport test from "node:test";\n${IMPORTED}`,
  ],
])("node:test of Node 22.14, in %s", async (_, name, load) => {
  const folder = await installation.project({
    [name]: `${load}\ntest("opens", async () => {${BODY}${ASSERTED}});`,
  });
  const said = await runNode(folder, name, [], installation.file(`${NODE}/bin/node`));
  expect(said).toMatch(/pass 1\b/);
  expect(said).toMatch(/fail 0\b/);
});
