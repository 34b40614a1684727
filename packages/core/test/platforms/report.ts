import { readFileSync } from "node:fs";
import { EXCEPTIONS, type Exception } from "./exceptions.ts";

/** What vitest writes as JSON, as far as it is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** What became of the tests on a platform. */
export interface Outcome {
  readonly passed: number;
  /** Skipped by the tests themselves, because the platform lacks something. */
  readonly skipped: number;
  /** What the emulation cannot run, a line each. */
  readonly excepted: readonly string[];
  /** What failed, a line each. */
  readonly failed: readonly string[];
  /** Exceptions that were not needed this time. */
  readonly needless: readonly string[];
}

/** Files that are not run on the platform. */
export function leftOut(platform: string): readonly Exception[] {
  return EXCEPTIONS.filter((exception) => exception.platform === platform && exception.title === undefined);
}

/** Reads what vitest has written to `file`. */
export function outcomeOf(platform: string, file: string): Outcome {
  const { testResults } = JSON.parse(readFileSync(file, "utf8")) as Report;
  const single = EXCEPTIONS.filter(
    (exception) => exception.platform === platform && exception.title !== undefined,
  );
  const excepted = leftOut(platform).map((exception) => `${exception.file}: ${exception.reason}`);
  const failed: string[] = [];
  const needless: string[] = [];
  let passed = 0;
  let skipped = 0;
  for (const { name, message, assertionResults } of testResults) {
    const path = name.replaceAll("\\", "/");
    const short = path.slice(path.lastIndexOf("/packages/") + 1);
    // A file that could not be loaded has no tests.
    if (message !== "" && assertionResults.length === 0) failed.push(`${short}: ${firstLine(message)}`);
    for (const { status, fullName, failureMessages } of assertionResults) {
      const test = `${short} > ${fullName}`;
      const exception = single.find(
        (each) => path.endsWith(each.file) && fullName.startsWith(each.title ?? ""),
      );
      if (status === "passed") passed++;
      else if (status !== "failed") skipped++;
      if (exception === undefined) {
        if (status === "failed") failed.push(`${test}: ${firstLine(failureMessages?.[0] ?? "")}`);
      } else if (status === "failed") excepted.push(`${test}: ${exception.reason}`);
      else if (status === "passed") needless.push(test);
    }
  }
  return { passed, skipped, excepted, failed, needless };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
