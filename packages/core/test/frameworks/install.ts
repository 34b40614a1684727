import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { addPackages, pack } from "../support/packed.ts";
import { oldestNode, versions } from "./versions.ts";

declare module "vitest" {
  export interface ProvidedContext {
    installed: string;
    oldest: string;
  }
}

/** A throw-away folder with the packed packages, the frameworks and the test runners, in which projects are made. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const installed = await mkdtemp(join(tmpdir(), "sqlite-aio-frameworks-"));
  const tarballs = await Promise.all(["core", "worker", "native"].map((name) => pack(name, installed)));
  const others = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  const node = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  await writeFile(join(installed, "package.json"), '{ "private": true }');
  // ts-jest names an older Babel as a peer, which it does without.
  await addPackages(installed, [...tarballs, ...others, `${node}@${oldestNode}`], "--legacy-peer-deps");
  project.provide("installed", installed);
  project.provide("oldest", join(installed, "node_modules", node, "bin/node"));
  return () => rm(installed, { recursive: true });
}
