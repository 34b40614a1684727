import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../single-or-pool/main.ts", import.meta.url));
const run = promisify(execFile);

const works = ["short reads", "long reads", "mixed", "writes"];
const modes = ["FULL", "NORMAL"];
const pools = ["pool of 2", "pool of 4", "pool of 8", "default pool"];

describe("the single-or-pool exercise, run quickly", () => {
  let results: string;
  let temporary: string;
  let tables: string[][][];
  let chart: string;

  beforeAll(async () => {
    results = await mkdtemp(join(tmpdir(), "exercise-results-"));
    temporary = await mkdtemp(join(tmpdir(), "exercise-test-"));
    const file = join(results, "charts", "chart.svg");
    const env = { ...process.env, TMPDIR: temporary };
    const { stdout } = await run(process.execPath, [main, "--quick", "--chart", file], { env });
    tables = tablesOf(stdout);
    chart = await readFile(file, "utf8");
  });

  afterAll(async () => {
    await rm(results, { recursive: true });
    await rm(temporary, { recursive: true });
  });

  it("measures every setup at every kind of work in both modes, and gives each cell a positive number", () => {
    const expected = works.flatMap((work) =>
      modes.flatMap((mode) => ["single connection", ...pools].map((setup) => [work, mode, setup])),
    );
    for (const table of tables.slice(0, 2)) {
      const [head, ...rows] = table;
      expect(head).toEqual(["work", "synchronous", "setup", "1", "4"]);
      expect(rows.map((row) => row.slice(0, 3))).toEqual(expected);
      for (const row of rows) {
        const numbers = row.slice(3).map((cell) => Number(cell.replaceAll(",", "")));
        expect(numbers).toHaveLength(2);
        for (const number of numbers) expect(number, row.join(" ")).toBeGreaterThan(0);
      }
    }
  });

  it("says of every pool where it begins to win", () => {
    const [head, ...rows] = tables[2] ?? [];
    expect(head).toEqual(["work", "synchronous", ...pools]);
    expect(rows.map((row) => row.slice(0, 2))).toEqual(
      works.flatMap((work) => modes.map((mode) => [work, mode])),
    );
    for (const cell of rows.flatMap((row) => row.slice(2))) {
      expect(cell).toMatch(
        /^(from \d+ on|at \d+) \(at best \d+\.\d x, at \d+\)$|^never \(\d\.\d\d to \d\.\d\d x\)$/,
      );
    }
  });

  it("draws a line for each setup in a panel for each work and mode", () => {
    expect(chart).toMatch(/^<svg .*<\/svg>\n$/s);
    for (const text of [
      ...works,
      ...modes.map((mode) => `synchronous=${mode}`),
      "single connection",
      ...pools,
    ])
      expect(chart).toContain(`>${text}</text>`);
    expect(chart.match(/aria-roledescription="line mark"/g)).toHaveLength(
      works.length * modes.length * (1 + pools.length),
    );
  });

  it("removes its database", async () => {
    expect(await readdir(temporary)).toEqual([]);
  });
});

/** The cells of each drawn table, row by row, the head first. */
function tablesOf(output: string): string[][][] {
  const tables: string[][][] = [];
  for (const line of output.split("\n")) {
    if (line.startsWith("┌")) tables.push([]);
    if (line.startsWith("│")) {
      const cells = line.split("│").map((cell) => cell.trim());
      tables.at(-1)?.push(cells.slice(1, -1));
    }
  }
  return tables;
}
