import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../pages.ts";

/** A fenced block of the README or of a document. */
export interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

/** All blocks. */
export const blocks: readonly Block[] = [
  "README.md",
  ...globSync("docs/*.md", { cwd: root }).toSorted(),
].flatMap((page) =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^ *```([^\n]*)\n(.*?)^ *```$/gms)].map(
    ([, language = "", text = ""]) => ({ page, language, text }),
  ),
);

export const inLanguage = (language: string): readonly Block[] =>
  blocks.filter((block) => block.language === language);
