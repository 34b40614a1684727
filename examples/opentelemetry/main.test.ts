import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

void test("prints spans below their parents, with the wait of a statement apart from its run", async () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [main]);
  const lines = stdout.trimEnd().split("\n");
  const names = lines.map((line) => line.replace(/^ *[\d.]+ ms /, ""));
  const insert = "    INSERT  INSERT INTO visit VALUES (datetime('now'), ?)";
  const parts = (depth: number) => ["queue", "run"].map((name) => "  ".repeat(depth) + name);
  assert.deepEqual(names.slice(0, 11), [
    "a request",
    "  CREATE  CREATE TABLE visit (at TEXT, page TEXT)",
    ...parts(2),
    "  transaction (immediate)",
    "    acquire writer",
    insert,
    ...parts(3),
    insert,
    parts(3)[0],
  ]);
  assert.match(stdout, /^ {2,}[\d.]+ ms {3}SELECT {2}SELECT missing {2}! no such column: missing$/m);
  const ms = (line: string | undefined): number => Number.parseFloat(line ?? "");
  const waited = names.findIndex((name) => name.includes("FROM visit"));
  const ran = names.findIndex((name) => name.includes("count(*)"));
  assert.ok(ms(lines[waited + 1]) > ms(lines[waited + 2]), "the second statement waited longer than it ran");
  assert.ok(ms(lines[ran + 2]) > ms(lines[ran + 1]), "the first one ran longer than it waited");
});
