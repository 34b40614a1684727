import { execFileSync } from "node:child_process";
import { TestRunner } from "vitest";

/**
 * The JSON that CPython prints for a program. `sqlite3` and `json` are imported. Skips the test if there is no python3.
 */
export function python(program: string): unknown {
  const lines = ["import json, sqlite3, sys", program];
  return skippedWithoutPython(
    () => JSON.parse(execFileSync("python3", ["-c", lines.join("\n")], { encoding: "utf8" })) as unknown,
  );
}

/** The result of `run`, which runs python3. Skips the test if there is none. */
export function skippedWithoutPython<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      TestRunner.getCurrentTest()?.context.skip("needs python3, to compare with CPython");
    throw error;
  }
}
