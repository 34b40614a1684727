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

function figures(output: string, phase: string): { rows: string[]; seconds: string[]; stalls: string[] } {
  const line = output.split("\n").find((one) => one.startsWith(`│ ${phase} `)) ?? "";
  const cells = line.split("│").map((cell) => cell.trim());
  return {
    rows: [cells[2], cells[5]] as string[],
    seconds: [cells[3], cells[6]] as string[],
    stalls: [cells[4], cells[7]] as string[],
  };
}

describe("the flights demo, with the first 5,000 flights", () => {
  let output: string;

  beforeAll(async () => {
    output = await demo("--rows", "5000");
  });

  it("loads and iterates every flight on both sides", () => {
    expect(figures(output, "load").rows).toEqual(["5,000", "5,000"]);
    expect(figures(output, "iterate").rows).toEqual(["5,000", "5,000"]);
  });

  it("prints seconds and the longest stall of each phase and of all, on both sides", () => {
    for (const phase of ["load", "ask", "iterate", "all"]) {
      const { seconds, stalls } = figures(output, phase);
      for (const value of seconds) expect(value, phase).toMatch(/^\d+\.\d\d$/);
      for (const value of stalls) expect(Number(value), phase).toBeGreaterThan(0.5);
    }
  });

  it("gives the answers that the data holds", () => {
    // Counted from the file by JSON.parse(...).slice(0, 5000).
    expect(output).toMatch(/│ +5,000 │ +33.6 │ +39.7 │ +4.2 │/);
    expect(output).toContain("The longest run of flights at most 15 minutes late: 95");
  });

  it("finds that both sides found the same", () => {
    expect(output).toContain("Both found the same.");
  });

  it("removes its databases", async () => {
    expect(await readdir(temporary)).toEqual([]);
  });
});

describe("the flights demo, when no limit is given", () => {
  it("goes through the whole file on both sides", { timeout: 60_000 }, async () => {
    const output = await demo();
    expect(figures(output, "load").rows).toEqual(["231,083", "231,083"]);
    expect(figures(output, "iterate").rows).toEqual(["231,083", "231,083"]);
    expect(output).toContain("Both found the same.");
  });
});
