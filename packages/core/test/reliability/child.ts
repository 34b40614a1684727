import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** How a process ended, and what it had written by then. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from its last line to its end. */
  readonly quietMs: number;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the process is gone and everything that it wrote has been read. */
  readonly ended: Promise<Ended>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

export interface ChildOptions {
  readonly nodeOptions?: readonly string[];
  /** A command that starts the process, such as `["strace", "-f"]`. */
  readonly under?: readonly string[];
  /** After so many ms it is killed, which its `signal` tells. */
  readonly limitMs: number;
  readonly onText?: (text: string) => void;
}

/** Runs a script of this folder in a process of its own. */
export function start(script: string, args: readonly string[], options: ChildOptions): Child {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const command = [
    ...(options.under ?? []),
    process.execPath,
    ...(options.nodeOptions ?? []),
    "--no-warnings=ExperimentalWarning",
    file,
    ...args,
  ];
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  const timer = setTimeout(() => kill("SIGKILL"), options.limitMs);
  let stdout = "";
  let stderr = "";
  let latest = performance.now();
  let exitedAt = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    latest = performance.now();
    options.onText?.(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.on("exit", () => {
    exitedAt = performance.now();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, quietMs: exitedAt - latest });
    });
  });
  // A test that has failed must not leave it behind.
  onTestFinished(() => kill("SIGKILL"));
  return { pid: child.pid ?? -1, ended, kill };
}
