import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { addPackages, pack } from "../support/packed.ts";
import { versions } from "./versions.ts";

declare module "vitest" {
  export interface ProvidedContext {
    place: string;
  }
}

/** A throw-away project with the packed packages, the others' packages, and the programs. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const place = await mkdtemp(join(tmpdir(), "sqlite-aio-works-with-"));
  const tarballs = await Promise.all(["core", "worker", "native"].map((name) => pack(name, place)));
  const others = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  await writeFile(join(place, "package.json"), JSON.stringify(PROJECT));
  // better-auth has databases and frameworks as peers that are not needed here.
  await addPackages(place, [...tarballs, ...others], "--legacy-peer-deps");
  await cp(join(import.meta.dirname, "programs"), place, { recursive: true });
  project.provide("place", place);
  return () => rm(place, { recursive: true });
}

const PROJECT = {
  private: true,
  type: "module",
  // Its own better-sqlite3 is an older one, which would have to be compiled.
  overrides: { "@prisma/adapter-better-sqlite3": { "better-sqlite3": "13" } },
};
