import { execFileSync, spawnSync } from "node:child_process";
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

/** A Python whose sqlite3 can load extensions, which is left out of some builds, such as those of macOS and pyenv. */
export function loadingPython(...first: string[]): string | undefined {
  const program = "import sqlite3; sqlite3.Connection.enable_load_extension";
  return [...first, "python3", "/usr/bin/python3"].find(
    (path) => spawnSync(path, ["-c", program]).status === 0,
  );
}

/** The same. Skips the test if there is none. */
export function neededLoadingPython(): string {
  const path = loadingPython();
  if (path === undefined)
    TestRunner.getCurrentTest()?.context.skip("needs a python3 that can load extensions, to compare with it");
  return path!;
}
