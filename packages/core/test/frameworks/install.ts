import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { pack } from "../support/packed.ts";

declare module "vitest" {
  export interface ProvidedContext {
    tarballs: string[];
  }
}

/** Packs the packages once; each suite installs them beside what it tries. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-packed-"));
  project.provide(
    "tarballs",
    await Promise.all(["core", "worker", "native"].map((name) => pack(name, folder))),
  );
  return () => rm(folder, { recursive: true });
}
