import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../flights/main.ts", import.meta.url));
const run = promisify(execFile);

let temporary: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "flights-test-"));
});

afterAll(async () => {
  await rm(temporary, { recursive: true });
});

async function demo(...args: string[]): Promise<string> {
  const env = { ...process.env, TMPDIR: temporary };
  const { stdout } = await run(process.execPath, [main, ...args], { env });
  return stdout;
}

/** The cells of a line of a table, after its name. */
function cellsOf(output: string, name: string): string[] {
  const line = output.split("\n").find((one) => one.startsWith(`│ ${name} `)) ?? "";
  return line
    .split("│")
    .slice(2, -1)
    .map((cell) => cell.trim());
}

/** The figures of a phase: of `connect()`, of the pool, and of better-sqlite3. */
function figures(output: string, phase: string): { rows: string[]; seconds: string[]; stalls: string[] } {
  const cells = cellsOf(output, phase);
  const each = (column: number): string[] => cells.filter((_, index) => index % 3 === column);
  return { rows: each(0), seconds: each(1), stalls: each(2) };
}

/** What a visitor of a server noticed. */
function served(output: string, name: string): { answered: number; longestMs: number } {
  const [answered = "", , longest] = cellsOf(output, name);
  return { answered: Number(answered.replaceAll(",", "")), longestMs: Number(longest) };
}

describe("the flights demo, with the first 5,000 flights", () => {
  let output: string;

  beforeAll(async () => {
    output = await demo("--rows", "5000");
  });

  it("loads and iterates every flight by connect(), by a pool and by better-sqlite3", () => {
    expect(figures(output, "load").rows).toEqual(["5,000", "5,000", "5,000"]);
    expect(figures(output, "iterate").rows).toEqual(["5,000", "5,000", "5,000"]);
  });

  it("prints seconds and the longest stall of each phase and of all, for each of them", () => {
    for (const phase of ["load", "ask", "iterate", "all"]) {
      const { seconds, stalls } = figures(output, phase);
      expect([seconds.length, stalls.length]).toEqual([3, 3]);
      for (const value of seconds) expect(value, phase).toMatch(/^\d+\.\d\d$/);
      for (const value of stalls) expect(Number(value), phase).toBeGreaterThan(0.5);
    }
  });

  it("gives the answers that the data holds", () => {
    // Counted from the file by JSON.parse(...).slice(0, 5000).
    expect(output).toMatch(/│ +5,000 │ +33.6 │ +39.7 │ +4.2 │/);
    expect(output).toContain("The longest run of flights at most 15 minutes late: 95");
  });

  it("finds that all found the same", () => {
    expect(output).toContain("All found the same.");
  });

  it("removes its databases", async () => {
    expect(await readdir(temporary)).toEqual([]);
  });
});

describe("the flights demo, when no limit is given", () => {
  it("goes through the whole file, and shows what a visitor of a server notices", {
    timeout: 60_000,
  }, async () => {
    const output = await demo();
    expect(figures(output, "load").rows).toEqual(["231,083", "231,083", "231,083"]);
    expect(figures(output, "iterate").rows).toEqual(["231,083", "231,083", "231,083"]);
    expect(output).toContain("All found the same.");
    const pool = served(output, "createPool()");
    const theirs = served(output, "better-sqlite3, main thread");
    // better-sqlite3 answers it only between two questions; the pool always has a reader for it.
    expect(pool.answered).toBeGreaterThan(2 * theirs.answered);
    expect(pool.longestMs).toBeLessThan(theirs.longestMs);
    expect(served(output, "connect()").answered).toBeGreaterThan(0);
  });
});
