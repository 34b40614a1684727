import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { versions } from "./versions.ts";

declare module "vitest" {
  export interface ProvidedContext {
    project: string;
  }
}

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** A throw-away project that asks for sqlite3, and gets this package by an alias. */
export async function setup(tests: TestProject): Promise<() => Promise<void>> {
  const project = await mkdtemp(join(tmpdir(), "sqlite-aio-users-"));
  const ours: Record<string, string> = {};
  for (const name of ["core", "worker", "native", "sqlite3"]) {
    const key = name === "sqlite3" ? name : `@sqlite-aio/${name}`;
    ours[key] = `file:${await pack(name, project)}`;
  }
  const manifest = {
    private: true,
    dependencies: { ...ours, ...versions },
    // Also for those who ask for a version of it.
    overrides: Object.fromEntries(Object.keys(ours).map((name) => [name, `$${name}`])),
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest));
  // No scripts: those of the real sqlite3 would compile it.
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await run("npm", ["install", ...flags], { cwd: project });
  const native = join(project, "node_modules/@sqlite-aio/native/build");
  // The companion's binaries are built for a release; here there is the one of this machine.
  await cp(join(root, "packages/native/build"), native, { recursive: true });
  await cp(join(import.meta.dirname, "programs"), join(project, "programs"), { recursive: true });
  await mkdir(join(project, "work"));
  tests.provide("project", project);
  return () => rm(project, { recursive: true });
}

async function pack(name: string, to: string): Promise<string> {
  const pnpm = process.env["npm_config_user_agent"]?.startsWith("pnpm/")
    ? process.env["npm_execpath"]
    : undefined;
  // Without the script that asks for the companion's binaries.
  const args = ["pack", "--json", "--config.ignore-scripts=true", "--pack-destination", to];
  const cwd = join(root, "packages", name);
  const { stdout } = pnpm
    ? await run(pnpm, args, { cwd })
    : await run("npx", ["-y", "pnpm@12", ...args], { cwd });
  return (JSON.parse(stdout) as { filename: string }).filename;
}
