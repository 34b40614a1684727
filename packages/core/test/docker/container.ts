import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../support/free-port.ts";
import { buildah } from "./builder.ts";

const execute = promisify(execFile);
const PIPED: SpawnOptions = { stdio: ["ignore", "pipe", "pipe"] };

/** What an image says of the process that is started in it. */
interface Settings {
  readonly Cmd: string[];
  readonly Env: string[];
  readonly User: string;
  readonly WorkingDir: string;
  readonly Volumes?: Record<string, object>;
}

/**
 * As `docker run` starts it, the image's command is process 1 of a namespace, in the image's files, with its user, its folder
 * and its environment. The network is the machine's.
 */
const START = `mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && root=$1 user=$2 folder=$3 && shift 3 &&
  exec chroot --userspec="$user" "$root" /usr/bin/env -i -C "$folder" "$@"`;

/** Files of an image, in which its command is run; they stay from one start to the next. */
export class Container {
  readonly settings: Settings;
  readonly #id: string;
  readonly #files: string;

  private constructor(id: string, files: string, settings: Settings) {
    this.#id = id;
    this.#files = files;
    this.settings = settings;
  }

  static async of(image: string): Promise<Container> {
    const described = await buildah("inspect", "--type", "image", image);
    const { OCIv1 } = JSON.parse(described) as { OCIv1: { config: Settings } };
    const id = await buildah("from", "--pull-never", image);
    return new Container(id, await buildah("mount", id), OCIv1.config);
  }

  /** The path outside of a file inside. */
  file(path: string): string {
    return join(this.#files, path);
  }

  /** Starts the image's command, and resolves when it says that it listens. */
  async start(): Promise<Run> {
    const port = await freePort();
    const run = new Run(spawn("unshare", this.#command(port, this.settings.Cmd), PIPED), port);
    await run.listening();
    return run;
  }

  /** Runs another command in place of the image's, and gives what it prints. */
  async output(...command: string[]): Promise<string> {
    return (await execute("unshare", this.#command(0, command))).stdout;
  }

  #command(port: number, command: readonly string[]): string[] {
    const { Env, User, WorkingDir } = this.settings;
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
    const parameters = [this.#files, User, WorkingDir, ...Env, `PORT=${port}`];
    return [...namespaces, "sh", "-c", START, "sh", ...parameters, ...command];
  }

  async remove(): Promise<void> {
    await buildah("rm", this.#id);
  }
}

/** A process that was started in a container. */
export class Run {
  readonly #child: ChildProcess;
  readonly #port: number;
  #said = "";

  constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (text: Buffer) => (this.#said += text.toString()));
  }

  listening(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.stdout?.on("data", () => {
        if (this.#said.includes("listening")) resolve();
      });
      this.#child.once("exit", () => reject(new Error(`The container ended:\n${this.#said}`)));
    });
  }

  /** What it answers to a GET, as JSON. */
  async ask(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}\n${this.#said}`);
    return response.json();
  }

  /** Sends what `docker stop` sends to process 1, and gives what that ended with. */
  async stop(): Promise<number | null> {
    const ended = once(this.#child, "exit") as Promise<[number | null]>;
    process.kill(await this.#first(), "SIGTERM");
    const [code] = await ended;
    return code;
  }

  /** Ends it in any case. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Process 1, by its number outside. */
  async #first(): Promise<number> {
    const { pid } = this.#child;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    return Number(children.trim());
  }
}
