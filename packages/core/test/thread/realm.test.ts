import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("a program whose built-in classes are of another realm reads, binds and calls as any other", async () => {
  const program = fileURLToPath(new URL("../fixtures/other-realm.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  expect(JSON.parse(stdout)).toEqual([
    // 700 rows in packets of every kind, with NULLs, blobs and integers that are no safe numbers.
    700,
    true,
    [1],
    "bigint",
    2,
    [
      [null, 0],
      [1, null],
    ],
    [2],
    "a SQL function must return a value, not a promise",
    "mine",
    "enough",
    700,
    "a-b",
    600,
    10,
  ]);
});
