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
    workshop: string;
  }
}

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../..", import.meta.url));

/**
 * Three throw-away projects that know nothing of the workspace: `tools` has the packed packages and all bundlers,
 * `whole` is where a program runs whose packages are installed, `bare` where only the engine and the companion are.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const workshop = await mkdtemp(join(tmpdir(), "sqlite-aio-bundlers-"));
  const tarballs = await Promise.all(["core", "worker", "native"].map((name) => pack(name, workshop)));
  const bundlers = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  const engine = ["better-sqlite3@13", tarballs[2] as string];
  // One after the other: they share npm's cache.
  await install(join(workshop, "tools"), [...tarballs, ...bundlers]);
  await install(join(workshop, "whole"), tarballs);
  await install(join(workshop, "bare"), engine);
  project.provide("workshop", workshop);
  return () => rm(workshop, { recursive: true });
}

/** The tarball of a package of this repository, as it would be published. */
export async function pack(name: string, to: string): Promise<string> {
  const pnpm = process.env["npm_config_user_agent"]?.startsWith("pnpm/")
    ? process.env["npm_execpath"]
    : undefined;
  // Without the script that asks for the companion's binaries, which `addPackages()` brings.
  const args = ["pack", "--json", "--config.ignore-scripts=true", "--pack-destination", to];
  const cwd = join(root, "packages", name);
  const { stdout } = pnpm
    ? await run(pnpm, args, { cwd })
    : await run("npx", ["-y", "pnpm@12", ...args], { cwd });
  return (JSON.parse(stdout) as { filename: string }).filename;
}

async function install(folder: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  await addPackages(folder, packages);
}

/** Installs packages, tarballs among them, in a project outside the workspace. */
export async function addPackages(
  folder: string,
  packages: readonly string[],
  ...more: string[]
): Promise<void> {
  // No scripts: Electron's would fetch its binary, and the engine brings what it needs.
  const flags = [
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
    ...more,
  ];
  await run("npm", ["install", ...flags, ...packages], { cwd: folder });
  // The companion's binaries are built for a release; here there is the one of this machine.
  const built = join(root, "packages/native/build");
  await cp(built, join(folder, "node_modules/@sqlite-aio/native/build"), { recursive: true });
}
