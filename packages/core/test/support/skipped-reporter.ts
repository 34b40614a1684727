import type { Reporter, TestCase, TestModule } from "vitest/node";

/**
 * Prints at the end how many tests were skipped and why, because the full list of tests is too long to read. Also
 * prints how many did not run because a hook before them failed; vitest counts them as skipped too.
 */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = new Map<string, number>();
    const failed = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const suite = failedSuiteOf(test);
        const result = test.result();
        if (suite !== undefined) count(failed, suite);
        else if (result.state === "skipped" && result.note !== undefined) count(skipped, result.note);
      }
    }
    for (const [note, times] of skipped) process.stdout.write(`${times} skipped: ${note}\n`);
    for (const [suite, times] of failed)
      process.stdout.write(`${times} FAILED, not skipped: a hook of "${suite}" failed before them\n`);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The suite or file around `test` whose own hook failed. */
function failedSuiteOf(test: TestCase): string | undefined {
  for (let { parent } = test; ; parent = parent.parent) {
    if (parent.errors().length > 0)
      return parent.type === "suite" ? parent.fullName : parent.relativeModuleId;
    if (parent.type === "module") return undefined;
  }
}
