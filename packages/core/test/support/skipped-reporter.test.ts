import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const config = fileURLToPath(new URL("../fixtures/failing-hook/vitest.config.ts", import.meta.url));

it("tests behind a hook that failed count as failed, others that were skipped with their reason", () => {
  const { status, stdout } = spawnSync(process.execPath, [vitest, "run", "--config", config], {
    encoding: "utf8",
  });
  expect(stdout.trim().split("\n")).toEqual([
    "1 skipped: something is missing",
    '2 FAILED, not skipped: a hook of "with a hook that fails" failed before them',
  ]);
  expect(status).toBe(1);
});
