import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("where code may not be made from strings, rows are the same", async () => {
  const program = fileURLToPath(new URL("../fixtures/every-row.mjs", import.meta.url));
  const run = async (...flags: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [...flags, program])).stdout;
  const hardened = await run("--disallow-code-generation-from-strings");
  expect(hardened).toContain("EvalError");
  expect(hardened.replace("EvalError", "made")).toBe(await run());
});
