import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { inject, onTestFinished } from "vitest";

const run = promisify(execFile);

/** Where everything is installed. */
export const installed = inject("installed");

/** Nothing here may outlive its test. */
const LIMIT_MS = 230_000 * Number(process.env["SQLITE_AIO_TIME_FACTOR"] ?? 1);

/** Without what vitest and pnpm say of themselves. */
const environment = {
  PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
  HOME: process.env["HOME"],
  TMPDIR: tmpdir(),
  CI: "1",
  NO_COLOR: "1",
  NEXT_TELEMETRY_DISABLED: "1",
};

/** A project beside what is installed, made of these files. */
export async function makeProject(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(installed, "project-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

/** Runs a file with Node, one of what is installed if it begins with a package's name, and gives all that it says. */
export async function node(
  folder: string,
  file: string,
  args: readonly string[] = [],
  program = process.execPath,
): Promise<string> {
  const path = file.startsWith(".") ? file : join(installed, "node_modules", file);
  try {
    const { stdout, stderr } = await run(program, [path, ...args], {
      cwd: folder,
      env: environment,
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Starts a server, asks it once it listens, and ends it. */
export async function ask(folder: string, file: string, path: string): Promise<unknown> {
  const port = String(await freePort());
  const server = spawn(process.execPath, [file], {
    cwd: folder,
    env: { ...environment, NODE_ENV: "production", PORT: port, HOST: "127.0.0.1", HOSTNAME: "127.0.0.1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void server.kill("SIGKILL"));
  let said = "";
  server.stderr.on("data", (text: Buffer) => (said += text.toString()));
  // Both say so when they listen; what they say differs.
  await new Promise<void>((resolve, reject) => {
    server.stdout.on("data", (text: Buffer) => {
      said += text.toString();
      if (/Ready in|Listening on/.test(said)) resolve();
    });
    server.once("exit", () => reject(new Error(`${file} ended:\n${said}`)));
  });
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  if (!response.ok) throw new Error(`${response.status}\n${said}`);
  return await response.json();
}

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
