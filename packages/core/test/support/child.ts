import { onTestFinished } from "vitest";

/** Ends a process or a thread with its test, whatever the result. */
export function endsWithTest<T extends { kill(signal: "SIGKILL"): unknown } | { terminate(): unknown }>(
  child: T,
): T {
  onTestFinished(() => {
    if ("kill" in child) child.kill("SIGKILL");
    else void child.terminate();
  });
  return child;
}
