import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Images and what they were made of, kept for the next run. */
export const STORE = join(tmpdir(), "sqlite-aio-docker");

/** By program, the package of Debian that it is in. */
const NEEDED = { buildah: "buildah", debootstrap: "debootstrap", unshare: "util-linux" } as const;

/** Throws an error that says what is missing. */
export function requireBuilder(): void {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new Error("images are built on Linux, as root: what is in them has owners of its own");
  const missing = Object.entries(NEEDED).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return;
  throw new Error(
    `this needs ${missing.map(([program]) => program).join(", ")}: apt-get install -y --no-install-recommends ${missing.map(([, name]) => name).join(" ")}`,
  );
}

function isInstalled(program: string): boolean {
  return `${process.env["PATH"]}${delimiter}/usr/sbin`.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs Buildah, with images of its own, and gives what it prints. */
export async function buildah(command: string, ...args: string[]): Promise<string> {
  const kept = ["--root", join(STORE, "storage"), "--runroot", join(STORE, "run"), "--storage-driver", "vfs"];
  try {
    const { stdout } = await run("buildah", [...kept, command, ...args], { maxBuffer: 64 * 1024 * 1024 });
    return stdout.trim();
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`buildah ${command} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}
