import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runInChild } from "./child.ts";
import type { Task } from "./outcome.ts";
import { agree, answersText, figuresText, servedText } from "./report.ts";
import { runWithConnect } from "./with-connect.ts";
import { runWithPool } from "./with-pool.ts";

const { values } = parseArgs({ options: { rows: { type: "string" } } });
const limit = values.rows === undefined ? Number.POSITIVE_INFINITY : Number(values.rows);
if (!(limit >= 1)) throw new RangeError("--rows must be a number of at least 1");

await using directory = await mkdtempDisposable(join(tmpdir(), "flights-"));
const task = (name: string): Task => ({ database: join(directory.path, `${name}.db`), limit });
const connection = await runWithConnect(task("connection"));
const pool = await runWithPool(task("pool"));
const theirs = await runInChild(task("theirs"));

const all = { "connect()": connection, "createPool()": pool, "better-sqlite3, main thread": theirs };
console.log(`\n${answersText(connection)}\n\n${figuresText(all)}\n\n${servedText(all)}`);
const different = Object.entries(all).filter(([, outcome]) => !agree(connection, outcome));
if (different.length === 0) {
  console.log("All found the same.");
} else {
  for (const [name, outcome] of different)
    console.log(`${name} found something else:\n\n${answersText(outcome)}`);
  process.exitCode = 1;
}
