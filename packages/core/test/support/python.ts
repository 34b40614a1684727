import { execFileSync } from "node:child_process";
import { TestRunner } from "vitest";

/**
 * What CPython prints as JSON when it runs a program, which has `sqlite3` and `json` imported. Skips the test that asks where
 * there is no python3.
 */
export function python(program: string): unknown {
  const lines = ["import json, sqlite3, sys", program];
  return skippedWithoutPython(
    () => JSON.parse(execFileSync("python3", ["-c", lines.join("\n")], { encoding: "utf8" })) as unknown,
  );
}

/** What `run` gives, which runs python3. Skips the test that asks where there is none. */
export function skippedWithoutPython<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      TestRunner.getCurrentTest()?.context.skip("needs python3, to compare with CPython");
    throw error;
  }
}
