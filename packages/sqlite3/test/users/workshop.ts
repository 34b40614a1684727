import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { addPackages, pack } from "../../../core/test/support/packed.ts";
import { versions } from "./versions.ts";

declare module "vitest" {
  export interface ProvidedContext {
    project: string;
  }
}

/** A temporary project that depends on sqlite3, and gets this package by an alias. */
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
    // Also for packages that require a version of it.
    overrides: Object.fromEntries(Object.keys(ours).map((name) => [name, `$${name}`])),
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest));
  await addPackages(project, []);
  await cp(join(import.meta.dirname, "programs"), join(project, "programs"), { recursive: true });
  await mkdir(join(project, "work"));
  tests.provide("project", project);
  return () => rm(project, { recursive: true });
}
