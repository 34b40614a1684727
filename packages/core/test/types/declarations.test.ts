import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
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

/** The libraries that entries of core speak to, each with a program in `integrations`. */
const LIBRARIES = ["@prisma/driver-adapter-utils", "drizzle-orm", "knex", "kysely", "typeorm"];

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "declarations-"));
  const modules = join(directory, "node_modules");
  await mkdir(join(modules, "@sqlite-aio"), { recursive: true });
  await mkdir(join(modules, "@types"));
  await mkdir(join(modules, "@prisma"));
  for (const name of ["core", "worker", "native"]) {
    await symlink(join(packages, name), join(modules, "@sqlite-aio", name));
  }
  await symlink(dirname(resolve("@types/node/package.json")), join(modules, "@types/node"));
  for (const name of LIBRARIES) await symlink(join(packages, "core/node_modules", name), join(modules, name));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe.each(COMPILERS)("the declarations, seen by $compiler", ({ compiler, resolutions }) => {
  it.each(resolutions)(
    "say what can be a parameter and what a row is, and are sound without the DOM, by $name",
    async (resolution) => {
      const folder = await project(["parameters-and-rows.ts", "subpaths.ts"], resolution);
      // Not to be found from beside this file.
      await writeFile(join(folder, "native.ts"), 'export * from "@sqlite-aio/native";\n');
      expect(await compile(compiler, folder, resolution)).toBe("");
    },
    120_000,
  );

  // Each compiles all of those libraries' declarations too, which takes longest.
  it.each(resolutions.slice(0, 1))(
    "fit those of the libraries that the entries are for, by $name",
    async (resolution) => {
      const folder = await project(
        ["drizzle", "knex", "kysely", "prisma", "typeorm"].map(programOf),
        resolution,
      );
      const said = await compile(compiler, folder, resolution);
      expect(said.split("\n").filter((line) => line !== "" && !theirs(line))).toEqual([]);
    },
    120_000,
  );
});

const programOf = (name: string): string => `integrations/${name}.ts`;

/**
 * Whether a line of a compiler's is about a declaration of those libraries, which is not ours to mend: where they want a newer
 * compiler, the DOM, or a database's package that is not there.
 */
function theirs(line: string): boolean {
  // Lines that go on are indented.
  return line.startsWith(" ") || THEIRS.test(line) || ESM_ONLY.test(line);
}

/** Kysely 0.29 is of ES modules alone, which CommonJS under `module: node16` must not import. */
const ESM_ONLY = /^kysely\.ts\(4,\d+\): error TS1479: .*import\("kysely"\)/;
const THEIRS =
  /node_modules\/(?:drizzle-orm|knex|kysely|typeorm|@prisma\/[\w-]+)\/\S+\.d\.[mc]?ts\(\d+,\d+\): error/;

/** A folder with some of the programs beside this file. */
async function project(programs: readonly string[], { type }: Resolution): Promise<string> {
  const folder = await mkdtemp(join(directory, "project-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type }));
  for (const program of programs) {
    await copyFile(join(import.meta.dirname, program), join(folder, basename(program)));
  }
  return folder;
}

/** The errors that a compiler finds in the programs of a folder, and in the declarations that they use. */
async function compile(compiler: string, folder: string, { options }: Resolution): Promise<string> {
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
