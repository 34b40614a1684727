import { readFileSync } from "node:fs";
import type { Files } from "./installation.ts";

const text = readFileSync(new URL("../../../../docs/frameworks.md", import.meta.url), "utf8");

/** The files that a section of docs/frameworks.md shows: each block's first line names one. */
export function filesOf(heading: string): Files {
  const [, section] = text.split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`docs/frameworks.md has no section "${heading}"`);
  const blocks = section.split("\n## ")[0]!.matchAll(/^```\w+\n(?:\/\/|#) (\S+)\n(.*?)^```$/gms);
  return Object.fromEntries([...blocks].map(([, name = "", block = ""]) => [name, block]));
}

/** The module that has the pool, at the place that a framework has for it. */
export function databaseAt(path: string): Files {
  const { "database.js": module } = filesOf("The module that has the pool");
  if (module === undefined) throw new Error("docs/frameworks.md has no database.js");
  return { [path]: module };
}
