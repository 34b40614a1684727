import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** Packages of the workspace, by the file in `packages` from which each is loaded. */
const WORKSPACE: Readonly<Record<string, string>> = {
  "@sqlite-aio/core": "core/dist/index.mjs",
  "@sqlite-aio/core/prisma": "core/dist/prisma.mjs",
  "@sqlite-aio/sqlite3": "sqlite3/dist/index.js",
  "@sqlite-aio/worker": "worker/dist/index.mjs",
};
/** Installed in a folder of their own, because Prisma's command has a hundred packages. */
const PRISMA = new Set(["@prisma/client", "@prisma/adapter-better-sqlite3"]);
/** Taken from the library's dependencies, so that every driver that is built on them runs the same binary. */
const SHARED_WITH_LIBRARY = new Set(["better-sqlite3", "comlink", "comlink/dist/umd/node-adapter.js"]);

const fromWorker = createRequire(new URL("../packages/worker/package.json", import.meta.url));
const fromPrisma = createRequire(new URL("./prisma/package.json", import.meta.url));

/** Loads a driver's module on demand, so that a missing peer fails alone. */
export async function loadPackage<T>(specifier: string): Promise<T> {
  const loaded = (await import(entryOf(specifier))) as { default?: unknown };
  return ("default" in loaded && !specifier.startsWith("@tursodatabase/") ? loaded.default : loaded) as T;
}

export function versionOf(name: string): string {
  if (name.startsWith("node:")) return `Node ${process.versions.node}`;
  try {
    return readVersion(name);
  } catch {
    return "not installed";
  }
}

function entryOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  const own = WORKSPACE[specifier];
  if (own !== undefined) return new URL(`../packages/${own}`, import.meta.url).href;
  if (PRISMA.has(specifier)) return pathToFileURL(fromPrisma.resolve(specifier)).href;
  if (SHARED_WITH_LIBRARY.has(specifier)) return pathToFileURL(fromWorker.resolve(specifier)).href;
  return specifier;
}

function readVersion(name: string): string {
  if (name in WORKSPACE)
    return versionIn(new URL(`../packages/${folder(name)}/package.json`, import.meta.url));
  if (PRISMA.has(name))
    return versionIn(new URL(`./prisma/node_modules/${name}/package.json`, import.meta.url));
  if (!SHARED_WITH_LIBRARY.has(name))
    return versionIn(new URL(`./node_modules/${name}/package.json`, import.meta.url));
  return versionIn(new URL(`../packages/worker/node_modules/${name}/package.json`, import.meta.url));
}

function versionIn(file: URL): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function folder(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
