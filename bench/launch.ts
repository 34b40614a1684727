import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Job } from "./job.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));
const LAST_WORDS = 600;

/** Runs a job in a new process. A crash, no answer within the limit, and a thrown error all give "failed". */
export function launch(job: Job, limitMs: number, nodeOptions: readonly string[] = []): Promise<Answer> {
  return new Promise((resolve) => {
    const options = ["--expose-gc", "--no-warnings", ...nodeOptions];
    const child = spawn(process.execPath, [...options, CHILD, JSON.stringify(job)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let answer: Answer | undefined;
    let complaint = "";
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
      // A process that it started may still hold the other end.
      child.stderr?.destroy();
    }, limitMs);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-LAST_WORDS);
    });
    child.on("message", (message) => {
      answer = message as Answer;
    });
    child.on("error", (error) => {
      complaint += error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      const ending = timedOut ? `no answer after ${limitMs / 1_000} s` : `exit ${signal ?? code}`;
      resolve(answer ?? { kind: "failed", message: `${ending} ${complaint}`.trim() });
    });
  });
}
