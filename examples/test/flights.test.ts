import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../flights/main.ts", import.meta.url));
const run = promisify(execFile);

describe("the flights demo, with the first 5,000 flights", () => {
  let temporary: string;
  let output: string;

  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "flights-test-"));
    const env = { ...process.env, TMPDIR: temporary };
    ({ stdout: output } = await run(process.execPath, [main, "--rows", "5000"], { env }));
  }, 60_000);

  afterAll(async () => {
    await rm(temporary, { recursive: true });
  });

  it("loads and iterates every flight on both sides", () => {
    expect(figures("load").rows).toEqual(["5,000", "5,000"]);
    expect(figures("iterate").rows).toEqual(["5,000", "5,000"]);
  });

  it("prints seconds and the longest stall of each phase and of all, on both sides", () => {
    for (const phase of ["load", "ask", "iterate", "all"]) {
      for (const seconds of figures(phase).seconds) expect(seconds, phase).toMatch(/^\d+\.\d\d$/);
      for (const stall of figures(phase).stalls) expect(Number(stall), phase).toBeGreaterThan(0.5);
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

  function figures(phase: string): { rows: string[]; seconds: string[]; stalls: string[] } {
    const line = output.split("\n").find((one) => one.startsWith(`│ ${phase} `)) ?? "";
    const cells = line.split("│").map((cell) => cell.trim());
    return {
      rows: [cells[2], cells[5]] as string[],
      seconds: [cells[3], cells[6]] as string[],
      stalls: [cells[4], cells[7]] as string[],
    };
  }
});
