import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { inject, onTestFinished } from "vitest";
import { addPackages } from "../support/packed.ts";
import { environment, LIMIT_MS, Server } from "./server.ts";

const run = promisify(execFile);

/** Files by their paths. */
export type Files = Readonly<Record<string, string>>;

/** A temporary folder with the packed packages and others, for one project or several. */
export class Installation {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Installs the packages, with npm's registry. `type` is that of the folder's own `package.json`. */
  static async of(
    packages: Readonly<Record<string, string>>,
    type: "module" | "commonjs",
  ): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-frameworks-"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type }));
    const others = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
    // Some have an older Babel, or databases that are not needed here, as peers.
    await addPackages(folder, [...inject("tarballs"), ...others], "--legacy-peer-deps");
    return new Installation(folder);
  }

  remove(): Promise<void> {
    // Killed processes may still be ending.
    return rm(this.folder, { recursive: true, maxRetries: 10 });
  }

  /** Puts files into the folder itself. */
  async write(files: Files, folder = this.folder): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  }

  /** A project that uses the packages installed above it. */
  async project(files: Files): Promise<string> {
    const folder = await mkdtemp(join(this.folder, "project-"));
    await this.write(files, folder);
    return folder;
  }

  /** The path of a file of one of the packages. */
  file(path: string): string {
    return join(this.folder, "node_modules", path);
  }

  /** Runs a file of one of the packages with Node, and gives all that it says. */
  run(file: string, args: readonly string[] = [], folder = this.folder): Promise<string> {
    return runNode(folder, this.file(file), args);
  }

  /** Starts a file of one of the packages as a server. */
  serve(file: string, args: readonly string[], ready: RegExp): Promise<Server> {
    return Server.start(this.folder, [this.file(file), ...args], ready);
  }
}

/** Runs a file with Node, and gives all that it says. */
export async function runNode(
  folder: string,
  file: string,
  args: readonly string[] = [],
  program = process.execPath,
): Promise<string> {
  try {
    const { stdout, stderr } = await run(program, [file, ...args], {
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

/** A copy of the build in an otherwise empty folder. */
export async function deploy(built: string): Promise<string> {
  const folder = await emptyFolder();
  await cp(built, folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

/** A folder that is removed when the test is over. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-deployed-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}
