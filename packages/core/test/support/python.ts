import { execFileSync } from "node:child_process";

/** What CPython prints as JSON when it runs a program, which has `sqlite3` and `json` imported. */
export function python(program: string): unknown {
  const lines = ["import json, sqlite3, sys", program];
  return JSON.parse(execFileSync("python3", ["-c", lines.join("\n")], { encoding: "utf8" })) as unknown;
}
