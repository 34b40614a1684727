import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";

const program = fileURLToPath(new URL("../single-or-pool/beside.ts", import.meta.url));
const run = promisify(execFile);

it("exercise:beside, run quickly, gives how long point reads take beside each kind of company, and their ratios", async () => {
  const temporary = await mkdtemp(join(tmpdir(), "beside-test-"));
  onTestFinished(() => rm(temporary, { recursive: true }));
  const env = { ...process.env, TMPDIR: temporary };
  const { stdout } = await run(process.execPath, [program, "--quick"], { env });
  const rows = stdout
    .split("\n")
    .filter((line) => line.includes(" x │"))
    .map((line) => line.split("│").map((cell) => cell.trim()));
  expect(rows.map(([, name, , , , atMost]) => [name, atMost])).toEqual([
    ["nothing", "1 x"],
    ["1 slow download", "3 x"],
    ["8 slow downloads", "3 x"],
    ["an aggregate of 1 s, over and over", "5 x"],
  ]);
  for (const [, name, calls = "", p99, ratio = "", , longest] of rows) {
    expect(Number(calls.replaceAll(",", "")), name).toBeGreaterThan(0);
    expect(Number(p99), name).toBeGreaterThan(0);
    expect(Number(longest), name).toBeGreaterThanOrEqual(Number(p99));
    expect(ratio, name).toMatch(/^\d+\.\d x$/);
  }
  expect(rows[0]?.[4]).toBe("1.0 x");
  expect(await readdir(temporary)).toEqual([]);
});
