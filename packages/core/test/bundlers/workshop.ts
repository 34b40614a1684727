import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { addPackages, pack } from "../support/packed.ts";
import { versions } from "./versions.ts";

declare module "vitest" {
  export interface ProvidedContext {
    workshop: string;
  }
}

/**
 * Three temporary projects outside the workspace. `tools` has the packed packages and all bundlers. In `whole` run
 * programs whose packages are installed. `bare` has only the engine and the companion.
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

async function install(folder: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  await addPackages(folder, packages);
}
