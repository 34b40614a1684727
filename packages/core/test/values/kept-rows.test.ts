import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const script = fileURLToPath(new URL("../fixtures/kept-rows.mjs", import.meta.url));

it.each([
  ["Latin-1", "x", "on"],
  ["Unicode", "日", "on"],
  ["Latin-1, without the companion", "x", "off"],
  ["Unicode, without the companion", "日", "off"],
])("a row that is kept holds less than 0.6 KB, however large its result: %s", async (_, text, native) => {
  const { stdout } = await run(process.execPath, ["--expose-gc", script, text], {
    env: { ...process.env, ...(native === "off" ? { SQLITE_AIO_NATIVE: "off" } : {}) },
  });
  const held = JSON.parse(stdout) as Record<"all" | "iterate" | "cursor", number>;
  for (const [way, bytes] of Object.entries(held)) expect(bytes, way).toBeLessThan(600);
});
