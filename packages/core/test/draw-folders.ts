// Writes the drawing of the folders and their arrows into CONTRIBUTING.md, from the import lines: `pnpm draw:folders`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawingIn, folderDrawing } from "./support/folder-drawing.ts";
import { root } from "./support/source-imports.ts";

const file = join(root, "CONTRIBUTING.md");
const text = readFileSync(file, "utf8");
writeFileSync(
  file,
  text.replace(drawingIn(text), () => folderDrawing()),
);
