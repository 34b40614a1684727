import { fork } from "node:child_process";
import { once } from "node:events";
import type { Outcome, Task } from "./outcome.ts";

/** Runs the task with better-sqlite3 in its own process, so that no run finds the heap or the caches of another. */
export async function runInChild(task: Task): Promise<Outcome> {
  // In JSON, a limit of Infinity would arrive as null.
  const child = fork(new URL("./with-better-sqlite3.ts", import.meta.url), { serialization: "advanced" });
  let outcome: Outcome | undefined;
  child.once("message", (message) => {
    outcome = message as Outcome;
  });
  child.send(task);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0 || outcome === undefined) throw new Error(`The child process ended with code ${code}`);
  return outcome;
}
