import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runInChild } from "./child.ts";
import { agree, answersText, figuresText } from "./report.ts";
import { runWithConnect } from "./with-connect.ts";

const { values } = parseArgs({ options: { rows: { type: "string" } } });
const limit = values.rows === undefined ? Number.POSITIVE_INFINITY : Number(values.rows);
if (!(limit >= 1)) throw new RangeError("--rows must be a number of at least 1");

await using directory = await mkdtempDisposable(join(tmpdir(), "flights-"));
const ours = await runWithConnect({ database: join(directory.path, "ours.db"), limit });
const theirs = await runInChild({ database: join(directory.path, "theirs.db"), limit });

console.log(`\n${answersText(ours)}\n\n${figuresText(ours, theirs)}`);
if (agree(ours, theirs)) {
  console.log("Both found the same.");
} else {
  console.log("They did not find the same. better-sqlite3 found:\n");
  console.log(answersText(theirs));
  process.exitCode = 1;
}
