import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../support/free-port.ts";

/** No process may outlive its test. */
export const LIMIT_MS = 230_000 * Number(process.env["SQLITE_AIO_TIME_FACTOR"] ?? 1);

/** The environment without the variables of vitest and pnpm. */
export const environment = {
  PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
  HOME: process.env["HOME"],
  TMPDIR: tmpdir(),
  CI: "1",
  NO_COLOR: "1",
  NEXT_TELEMETRY_DISABLED: "1",
};

/** A user's server program, in a process of its own. */
export class Server {
  readonly #process: ChildProcess;
  readonly #port: string;
  #said = "";

  private constructor(folder: string, args: readonly string[], port: string) {
    this.#port = port;
    this.#process = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...environment, PORT: port, HOST: "127.0.0.1", HOSTNAME: "127.0.0.1" },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: `next dev` starts a process that serves.
      detached: true,
    });
  }

  /** Starts the program, and resolves when it prints that it is ready. It ends with the test at the latest. */
  static async start(folder: string, args: readonly string[], ready: RegExp): Promise<Server> {
    const server = new Server(folder, args, String(await freePort()));
    onTestFinished(() => server.#kill());
    await server.#ready(ready);
    return server;
  }

  #kill(): void {
    try {
      process.kill(-this.#process.pid!, "SIGKILL");
    } catch (error) {
      // All have ended.
      if ((error as { code?: string }).code !== "ESRCH") throw error;
    }
  }

  #ready(ready: RegExp): Promise<void> {
    const { stdout, stderr } = this.#process;
    return new Promise((resolve, reject) => {
      const hear = (text: Buffer): void => {
        this.#said += text.toString();
        if (ready.test(this.#said)) resolve();
      };
      stdout?.on("data", hear);
      stderr?.on("data", hear);
      this.#process.once("exit", () => reject(new Error(`The server ended:\n${this.#said}`)));
    });
  }

  /** The answer to a GET, as JSON. */
  async ask(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}\n${this.#said}`);
    return await response.json();
  }

  /**
   * Sends SIGTERM, as a process manager or `docker stop` does. Returns the exit code or the signal that ended the
   * process.
   */
  async terminate(): Promise<number | string> {
    const ended = once(this.#process, "exit") as Promise<[number | null, string | null]>;
    this.#process.kill("SIGTERM");
    const [code, signal] = await ended;
    return code ?? signal ?? "";
  }
}
