import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { FromApp, ToApp } from "./stand-in/messages.ts";

/** The built app. */
export const builtMain = join(import.meta.dirname, "../out/main/index.js");

/** How a main process ended, and what it wrote to stderr. */
export interface Ending {
  readonly code: number | null;
  readonly stderr: string;
}

/** A built main process, run by Node in its own process with a stand-in for Electron. */
export class MainProcess extends EventEmitter<{ message: [FromApp] }> {
  /** All messages of both sides. */
  readonly log: (ToApp | FromApp)[] = [];
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;

  constructor(profile: string, main = builtMain) {
    super();
    const start = join(import.meta.dirname, "stand-in/start.ts");
    this.#child = fork(start, [main, `--user-data-dir=${profile}`], {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
    let stderr = "";
    this.#child.stderr?.on("data", (text) => (stderr += String(text)));
    this.ended = once(this.#child, "close").then(([code]) => ({ code: code as number | null, stderr }));
    this.#child.on("message", (message: FromApp) => {
      this.log.push(message);
      this.emit("message", message);
    });
  }

  send(message: ToApp): void {
    this.log.push(message);
    // The page may send for a moment after the app has ended.
    if (this.#child.connected) this.#child.send(message);
  }

  /** The next message of this type. Rejects if the process ends before. */
  async next<Type extends FromApp["type"]>(type: Type): Promise<Extract<FromApp, { type: Type }>> {
    const said = new Promise<FromApp>((resolve) => {
      const listen = (message: FromApp): void => {
        if (message.type !== type) return;
        this.off("message", listen);
        resolve(message);
      };
      this.on("message", listen);
    });
    const ended = this.ended.then(({ code, stderr }) => {
      throw new Error(`the main process ended with ${code} before it said "${type}": ${stderr}`);
    });
    return (await Promise.race([said, ended])) as Extract<FromApp, { type: Type }>;
  }
}
