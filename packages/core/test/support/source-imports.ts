import { globSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../..", import.meta.url));

/**
 * The folders of each package's sources, from the top down: an import goes to the same folder or to a lower one. `.` is
 * the public face: the files at the top of `src`.
 */
export const FOLDERS = {
  core: [
    ".",
    "electron",
    "integrations",
    "pool",
    "connection",
    "functions",
    "tracing",
    "thread",
    "values",
    "options",
    "leaves",
    "errors",
  ],
  sqlite3: [
    ".",
    "database",
    "backup",
    "statement",
    "scheduling",
    "connection",
    "calls",
    "constants",
    "declarations",
  ],
  worker: [".", "replica", "loop", "handle", "functions", "engine", "wire", "sql"],
} as const;

export type LayeredPackage = keyof typeof FOLDERS;

/** Files at the top of core's `src` that every folder may import. */
const LEAVES = new Set([
  "version.ts",
  "capabilities.ts",
  "authorizer-codes.ts",
  "dbconfig-codes.ts",
  "limit-codes.ts",
]);

export interface Import {
  /** The file that imports, from the root of the workspace, such as `packages/core/src/connection/cursor.ts`. */
  readonly from: string;
  readonly specifier: string;
  /** The imported names, as they are written. */
  readonly names: string;
  /** Whether it imports only types. */
  readonly typeOnly: boolean;
}

/** All source files of the packages, by their paths from the root of the workspace. */
export function readSources(): Map<string, string> {
  return new Map(
    globSync("packages/*/src/**/*.ts", { cwd: root })
      .map((file) => file.replaceAll("\\", "/"))
      .toSorted()
      .map((file) => [file, readFileSync(join(root, file), "utf8")] as const),
  );
}

export function importsOf(from: string, text: string): Import[] {
  const code = withoutComments(text);
  const statement =
    /^[ \t]*(?:import|export)\s+(?<clause>[\w$\s{},*]+?)\s+from\s+["'](?<path>[^"']+)["']|^[ \t]*import\s+["'](?<effect>[^"']+)["']|\bimport\(\s*["'](?<late>[^"']+)["']/gm;
  return [...code.matchAll(statement)].map(({ groups = {} }) => ({
    from,
    specifier: (groups["path"] ?? groups["effect"] ?? groups["late"]) as string,
    names: (groups["clause"] ?? "").replaceAll(/\s+/g, " "),
    typeOnly: /^\s*type\b/.test(groups["clause"] ?? ""),
  }));
}

export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** The source file that a relative import means; any other specifier is its own answer. */
export function resolved(from: string, specifier: string): string {
  return specifier.startsWith(".")
    ? normalize(join(from, "..", specifier))
        .replaceAll("\\", "/")
        .replace(/\.js$/, ".ts")
    : specifier;
}

/** The package and the folder that a source file stands in; null for packages without an order. */
export function placeOf(
  file: string,
): { readonly inPackage: LayeredPackage; readonly folder: string } | null {
  const [, name = "", path = ""] = /^packages\/(\w+)\/src\/(.+)$/.exec(file) ?? [];
  if (!Object.hasOwn(FOLDERS, name)) return null;
  const inPackage = name as LayeredPackage;
  if (path.includes("/")) return { inPackage, folder: path.slice(0, path.indexOf("/")) };
  return { inPackage, folder: inPackage === "core" && LEAVES.has(path) ? "leaves" : "." };
}

/** How far down a folder stands; -1 if the order does not know it. */
export function rankOf(inPackage: LayeredPackage, folder: string): number {
  return (FOLDERS[inPackage] as readonly string[]).indexOf(folder);
}
