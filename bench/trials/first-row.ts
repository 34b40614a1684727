import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { quantile, sorted } from "../statistics.ts";
import type { Trial } from "../trial.ts";

/** Each has a program of its own, because the drivers of the other trials load more than a program would. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "sqlite-aio-connection": "sqlite-aio-connection",
  "sqlite-aio-pool": "sqlite-aio-pool",
  "better-sqlite3": "better-sqlite3",
  "node:sqlite": "node-sqlite",
  sqlite3: "sqlite3",
};
const PROCESSES_PER_REPEAT = 5;

export const firstRow: Trial = {
  name: "first-row",
  title: "From the start of a process to its first row",
  description:
    "A program of five lines opens the file and reads one row by its key, in a new process each time; measured from the start of the process until the row is reported. For comparison, a program that opens nothing.",
  dataset: "items",
  writes: false,
  settings: { synchronous: "FULL", callers: 1 },
  needs: ["get"],
  drivers: Object.keys(PROGRAMS),
  maxRounds: 2,
  columns: ["firstRowMs", "nothingMs", "ownMs", "exitMs"],
  async run({ driver, file, effort }) {
    const program = PROGRAMS[driver.name] ?? "";
    const runs = { row: [] as number[], exit: [] as number[], nothing: [] as number[] };
    // The first start reads the files from the disk.
    await start(program, file);
    for (let at = 0; at < PROCESSES_PER_REPEAT * effort.repeats; at++) {
      const { rowMs, exitMs } = await start(program, file);
      runs.row.push(rowMs);
      runs.exit.push(exitMs);
      runs.nothing.push((await start("nothing", file)).rowMs);
    }
    const [firstRowMs = 0, exitMs = 0, nothingMs = 0] = [runs.row, runs.exit, runs.nothing].map((each) =>
      quantile(sorted(each), 0.5),
    );
    return { firstRowMs, exitMs, nothingMs, ownMs: firstRowMs - nothingMs };
  },
};

/** Times from the call of `spawn` until the row is reported and until the process has ended. */
function start(program: string, file: string): Promise<{ rowMs: number; exitMs: number }> {
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(`../first-row/${program}.mjs`, import.meta.url));
    const began = performance.now();
    const child = spawn(process.execPath, ["--no-warnings", path, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let rowMs = 0;
    let told = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      rowMs ||= performance.now() - began;
      told += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      const exitMs = performance.now() - began;
      if (code === 0 && told === "item number 1\n") resolve({ rowMs, exitMs });
      else reject(new Error(`${program} told ${JSON.stringify(told)} and ended with ${code}`));
    });
  });
}
