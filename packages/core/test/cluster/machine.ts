import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { PrimaryOptions } from "@sqlite-aio/core";
import { onTestFinished } from "vitest";
import { temporaryPath } from "../support/database.ts";

const program = join(import.meta.dirname, "program.ts");
const engine = pathToFileURL(createRequire(import.meta.url).resolve("libsql")).href;
let lives = 0;

/** A machine of a cluster: a file, and one program at a time that uses it. */
export class Machine {
  readonly path: string;
  /** The latest report on each transfer. */
  readonly said = new Map<string, "begin" | "done" | "undone" | "unknown">();
  /** Snapshots that were not whole. */
  readonly torn: string[] = [];
  /** Codes of failed transfers, with their counts. */
  readonly codes = new Map<string, number>();
  looks = 0;
  readonly #primary: PrimaryOptions;
  #child: ChildProcess | null = null;
  #words = new Set<string>();
  #failure: Error | null = null;

  private constructor(path: string, primary: PrimaryOptions) {
    this.path = path;
    this.#primary = primary;
  }

  static async start(primary: PrimaryOptions): Promise<Machine> {
    const machine = new Machine(await temporaryPath("replica.db"), primary);
    onTestFinished(() => machine.kill());
    machine.start();
    return machine;
  }

  /** Starts the program, on the file as it is. */
  start(): void {
    const life = `m${++lives}`;
    const child = spawn(process.execPath, [program, this.path, life, engine, JSON.stringify(this.#primary)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#words = new Set();
    let rest = "";
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)));
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    });
    child.once("close", (code) => {
      if (code !== null && code !== 0)
        this.#failure = new Error(`the program ended with exit code ${code}: ${errors}`);
    });
  }

  /** Transfers that were acknowledged. */
  get done(): string[] {
    return [...this.said].filter(([, state]) => state === "done").map(([name]) => name);
  }

  /** Throws if the program has ended by itself. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  get isReady(): boolean {
    return this.#words.has("ready");
  }

  /** Simulates a power cut. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks the program to stop; it closes its pool. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    this.check();
    if (!this.#words.has("closed")) throw new Error("the program has not closed its pool");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
  }

  #hear(line: string): void {
    const [word = "", name = "", code = ""] = line.split(" ");
    switch (word) {
      case "begin":
      case "done":
      case "undone":
      case "unknown":
        this.said.set(name, word);
        if (code !== "") this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
        break;
      case "torn":
        this.torn.push(line);
        break;
      case "looked":
        this.looks = Math.max(this.looks, Number(name));
        break;
      default:
        this.#words.add(word);
    }
  }
}
