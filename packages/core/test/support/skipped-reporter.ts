import type { Reporter, TestModule } from "vitest/node";

/** Says at the end how many tests were skipped for want of something, and of what: nobody reads the list of all tests. */
export class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const result = test.result();
        const note = result.state === "skipped" ? result.note : undefined;
        if (note !== undefined) counts.set(note, (counts.get(note) ?? 0) + 1);
      }
    }
    for (const [note, count] of counts) process.stdout.write(`${count} skipped: ${note}\n`);
  }
}
