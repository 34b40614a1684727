import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const packages = fileURLToPath(new URL("../../..", import.meta.url));
const { resolve } = createRequire(import.meta.url);

interface Resolution {
  readonly name: string;
  readonly type: "module" | "commonjs";
  readonly options: Readonly<Record<string, string>>;
}

const ESM: Resolution = {
  name: "nodenext in an ES module",
  type: "module",
  options: { module: "nodenext" },
};
const COMMONJS: Resolution = {
  name: "node16 in CommonJS",
  type: "commonjs",
  options: { module: "node16" },
};
const BUNDLER: Resolution = {
  name: "bundler",
  type: "module",
  options: { module: "esnext", moduleResolution: "bundler" },
};
/** TypeScript 7 no longer knows it. */
const NODE10: Resolution = {
  name: "node10",
  type: "commonjs",
  options: { module: "commonjs", moduleResolution: "node10" },
};

/** The oldest that is promised, the last of its line, and the one that the workspace is built with. */
const COMPILERS = [
  { compiler: "typescript-5.4", resolutions: [ESM, NODE10] },
  { compiler: "typescript-5.9", resolutions: [COMMONJS] },
  { compiler: "typescript", resolutions: [ESM, COMMONJS, BUNDLER] },
];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "declarations-"));
  const modules = join(directory, "node_modules");
  await mkdir(join(modules, "@sqlite-aio"), { recursive: true });
  await mkdir(join(modules, "@types"));
  for (const name of ["core", "worker", "native"]) {
    await symlink(join(packages, name), join(modules, "@sqlite-aio", name));
  }
  await symlink(dirname(resolve("@types/node/package.json")), join(modules, "@types/node"));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe.each(COMPILERS)("the declarations, seen by $compiler", ({ compiler, resolutions }) => {
  it.each(resolutions)(
    "say what can be a parameter and what a row is, and are sound without the DOM, by $name",
    async (resolution) => {
      expect(await compile(compiler, resolution)).toBe("");
    },
    120_000,
  );
});

/** What a compiler finds wrong with the programs beside this file, and with the declarations that they use. */
async function compile(compiler: string, { type, options }: Resolution): Promise<string> {
  const folder = await mkdtemp(join(directory, "project-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type }));
  for (const file of ["parameters-and-rows.ts", "subpaths.ts"]) {
    await copyFile(join(import.meta.dirname, file), join(folder, file));
  }
  // Not to be found from beside this file.
  await writeFile(join(folder, "native.ts"), 'export * from "@sqlite-aio/native";\n');
  const compilerOptions = {
    ...options,
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    types: ["node"],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const tsc = join(dirname(resolve(`${compiler}/package.json`)), "bin/tsc");
  try {
    const { stdout } = await run(process.execPath, [tsc, "-p", folder], { cwd: folder });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    return stdout || stderr || String(error);
  }
}
