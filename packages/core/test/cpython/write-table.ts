// Asks CPython, and writes what it answered and the list of cases: `PYTHON=python3.13 node write-table.ts`, with 3.13 or
// later. Extensions are loaded by a Python that can: by that one, python3 or the system's.
import { readFileSync, writeFileSync } from "node:fs";
import { COMPARED } from "./cases/index.ts";
import { loadingPython } from "../support/python.ts";
import { ask, documented, knows } from "./compare.ts";

const lines: string[] = [];
const python = process.env["PYTHON"] ?? "python3";
for (const area of COMPARED) {
  const { name, cases } = area;
  const { version, answers } = ask(area, area.loads === true ? loadingPython(python)! : python);
  const unknown = cases.find((each) => !knows(version, each));
  if (unknown !== undefined) throw new Error(`Python ${version.join(".")} does not know: ${unknown.title}`);
  for (const [i, { title }] of cases.entries()) lines.push(JSON.stringify([name, title, answers[i]]));
}
writeFileSync(new URL("answers.jsonl", import.meta.url), `${lines.join("\n")}\n`);

const docs = new URL("../../../../docs/from-aiosqlite.md", import.meta.url);
const [before, after] = readFileSync(docs, "utf8").split(
  /(?<=<!-- cases -->\n)[^]*(?=<!-- end of cases -->)/,
);
writeFileSync(docs, `${before}\n${documented()}\n${after}`);
