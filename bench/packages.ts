import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const WORKSPACE = new Set(["@sqlite-aio/core", "@sqlite-aio/worker"]);
/** Taken from the library's own dependencies, so that every driver built on them runs the very same binary. */
const SHARED_WITH_LIBRARY = new Set(["better-sqlite3", "comlink", "comlink/dist/umd/node-adapter.js"]);

const fromWorker = createRequire(new URL("../packages/worker/package.json", import.meta.url));

/** Loads a driver's module when it is asked for, so that a peer that is not installed fails alone. */
export async function loadPackage<T>(specifier: string): Promise<T> {
  const loaded = (await import(entryOf(specifier))) as { default?: unknown };
  return (specifier.startsWith("@") ? loaded : (loaded.default ?? loaded)) as T;
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
  if (WORKSPACE.has(specifier))
    return new URL(`../packages/${folder(specifier)}/dist/index.mjs`, import.meta.url).href;
  if (SHARED_WITH_LIBRARY.has(specifier)) return pathToFileURL(fromWorker.resolve(specifier)).href;
  return specifier;
}

function readVersion(name: string): string {
  if (WORKSPACE.has(name))
    return versionIn(new URL(`../packages/${folder(name)}/package.json`, import.meta.url));
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
