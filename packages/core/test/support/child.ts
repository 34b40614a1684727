import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";

/**
 * Ends a process or a thread with its test, whatever the result. It is gone before the files are removed that it has
 * open: on Windows they cannot be removed before.
 */
export function endsWithTest<T extends ChildProcess | Worker>(child: T): T {
  onTestFinished(async () => {
    if ("terminate" in child) await child.terminate();
    else if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  });
  return child;
}
