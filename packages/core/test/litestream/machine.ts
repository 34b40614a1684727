import { type ChildProcess, exec, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { until } from "../support/pool-support.ts";
import { binaryFor } from "./binary.ts";
import { Journal } from "./journal.ts";
import { commandFor, configFor } from "./page.ts";

const run = promisify(exec);
const litestream = binaryFor(process.platform, process.arch);
const program = join(import.meta.dirname, "writer.ts");
const PATH = [dirname(litestream), dirname(process.execPath), process.env["PATH"]].join(delimiter);

/** A folder with a database, which can be lost, and a replica elsewhere. All of it is gone when the test is over. */
export class Machine {
  /** The lines of the writers. */
  readonly journal = new Journal();
  readonly folder: string;
  readonly replica: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(root: string) {
    this.folder = join(root, "data");
    this.replica = join(root, "replica");
  }

  /** With the page's litestream.yml, to which settings of the database can be added. */
  static async make(settings: readonly string[] = []): Promise<Machine> {
    const root = await mkdtemp(join(tmpdir(), "sqlite-aio-litestream-"));
    const machine = new Machine(root);
    onTestFinished(async () => {
      await machine.kill();
      await rm(root, { recursive: true, force: true });
    });
    await mkdir(machine.folder);
    const more = settings.map((setting) => `    ${setting}\n`).join("");
    const config = configFor(machine.folder, machine.replica).replace(/^ {4}replicas:/m, `${more}$&`);
    await writeFile(machine.path("litestream.yml"), config);
    return machine;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts Litestream without a shell: otherwise the shell would be killed instead of it. */
  replicate(...more: string[]): ChildProcess {
    return this.#start(litestream, ["replicate", "-config", "litestream.yml", ...more]);
  }

  /** Starts the program that writes, from this number on. */
  write(first = 0): ChildProcess {
    return this.#start(process.execPath, [program, ...this.arguments(first)]);
  }

  /** The program that writes, as a command. */
  get program(): string {
    return [process.execPath, program, ...this.arguments(0)].join(" ");
  }

  /** Resolves when the replica has got part of the log, beside the snapshot it begins with. */
  async replicates(): Promise<void> {
    await until(() => globSync(`${this.replica}/generations/*/wal/*`).length > 0);
  }

  /** How many logs Litestream has seen to their end, by emptying them. */
  get checkpoints(): number {
    const segments = globSync("generations/*/wal/*", { cwd: this.replica });
    return new Set(segments.map((segment) => basename(segment).slice(0, 8))).size - 1;
  }

  /** Simulates a power cut: kills everything at once. */
  async kill(): Promise<void> {
    const ended = [...this.#running].map((child) => once(child, "close"));
    for (const child of this.#running) child.kill("SIGKILL");
    await Promise.all(ended);
  }

  /** Deletes everything but the replica, and installs litestream.yml again. */
  async lose(): Promise<void> {
    const config = await readFile(this.path("litestream.yml"));
    await rm(this.folder, { recursive: true });
    await mkdir(this.folder);
    await writeFile(this.path("litestream.yml"), config);
  }

  /** Runs the command of the page that begins like this, and returns its output. */
  async command(beginning: string): Promise<string> {
    const command = commandFor(beginning, this.folder, this.replica);
    const { stdout, stderr } = await run(command, { cwd: this.folder, env: { ...process.env, PATH } });
    return stdout + stderr;
  }

  arguments(first: number): string[] {
    return [this.path("app.db"), String(first), this.folder];
  }

  #start(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { cwd: this.folder, stdio: ["ignore", "pipe", "inherit"] });
    this.#running.add(child);
    child.once("close", (code) => {
      this.#running.delete(child);
      if (code !== null && code !== 0)
        this.journal.fail(new Error(`${command} ended with exit code ${code}`));
    });
    child.stdout.setEncoding("utf8").on("data", (piece: string) => this.journal.hear(piece));
    return child;
  }
}

/** Asks a process to stop, and gives its exit code. */
export async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = once(child, "close") as Promise<[number | null]>;
  child.kill("SIGTERM");
  return (await ended)[0];
}
