import { FOLDERS, importsOf, placeOf, readSources, resolved } from "./source-imports.ts";

/** The folders of core and worker and which imports which, as a Mermaid flowchart. */
export function folderDrawing(): string {
  const arrows = new Set<string>();
  for (const [file, text] of readSources()) {
    const from = placeOf(file);
    if (from === null) continue;
    for (const { specifier } of importsOf(file, text)) {
      const to = targetOf(file, specifier);
      if (to !== null && to !== idOf(from)) arrows.add(`  ${idOf(from)} --> ${to}`);
    }
  }
  const boxes = Object.entries(FOLDERS).map(([inPackage, folders]) => {
    const inside = folders.map((folder) => `    ${inPackage}_${nameOf(folder)}["${labelOf(folder)}"]`);
    return [`  subgraph ${inPackage}`, ...inside, "  end"].join("\n");
  });
  return ["```mermaid", "flowchart TD", ...boxes, ...[...arrows].toSorted(), "```"].join("\n");
}

/** The drawing that a document has. */
export function drawingIn(markdown: string): string {
  const [drawing] = /```mermaid\nflowchart TD\n[\s\S]*?```/.exec(markdown) ?? [];
  if (drawing === undefined) throw new Error("there is no flowchart");
  return drawing;
}

function targetOf(file: string, specifier: string): string | null {
  if (specifier === "@sqlite-aio/worker") return "worker_face";
  if (specifier.startsWith("@sqlite-aio/worker/")) return `worker_${specifier.split("/")[2]}`;
  const to = placeOf(resolved(file, specifier));
  return to === null ? null : idOf(to);
}

function idOf({ inPackage, folder }: { inPackage: string; folder: string }): string {
  return `${inPackage}_${nameOf(folder)}`;
}

function nameOf(folder: string): string {
  return folder === "." ? "face" : folder;
}

function labelOf(folder: string): string {
  return folder === "." ? "public face" : folder === "leaves" ? "version, capabilities" : `${folder}/`;
}
