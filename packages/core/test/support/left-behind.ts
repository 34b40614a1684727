import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { endsWithTest } from "./child.ts";
import { temporaryFolder } from "./database.ts";

const program = fileURLToPath(new URL("../fixtures/left-behind.mjs", import.meta.url));

/** Runs a scenario of fixtures/left-behind.mjs in a new process, and returns its output. */
export async function leftBehind(scenario: string): Promise<unknown> {
  const args = ["--expose-gc", "--no-warnings", program, scenario, await temporaryFolder()];
  const running = promisify(execFile)(process.execPath, args);
  endsWithTest(running.child);
  return JSON.parse((await running).stdout) as unknown;
}
