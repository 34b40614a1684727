// Writes figures into a document. Only the command that measured them does this.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/**
 * Replaces what stands between `<!-- name:start -->` and `<!-- name:end -->` of a Markdown document.
 * @param document - Its path, from the root of the workspace: `docs/reliability.md`.
 * @throws Error if the document does not have the two markers.
 */
export function writeMeasured(document: string, name: string, content: string): void {
  const file = new URL(`../${document}`, import.meta.url);
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const text = readFileSync(file, "utf8");
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document} needs ${start} and ${end}`);
  writeFileSync(file, `${text.slice(0, from)}${start}\n\n${content}\n\n${text.slice(to)}`);
  format(file);
}

/** Formats a file that a program has written with the workspace's formatter. */
export function format(file: URL): void {
  const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
  execFileSync(
    process.execPath,
    [biome, "format", "--write", "--no-errors-on-unmatched", fileURLToPath(file)],
    {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
}
