import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** The tarball of a package of this repository, as it would be published. */
export async function pack(name: string, to: string): Promise<string> {
  const pnpm = process.env["npm_config_user_agent"]?.startsWith("pnpm/")
    ? process.env["npm_execpath"]
    : undefined;
  // Without the script that asks for the companion's binaries, which `addPackages()` brings.
  const args = ["pack", "--json", "--config.ignore-scripts=true", "--pack-destination", to];
  const cwd = join(root, "packages", name);
  const { stdout } = pnpm
    ? await run(pnpm, args, { cwd })
    : await run("npx", ["-y", "pnpm@12", ...args], { cwd });
  return (JSON.parse(stdout) as { filename: string }).filename;
}

/** Installs packages, tarballs among them, in a project outside the workspace. */
export async function addPackages(
  folder: string,
  packages: readonly string[],
  ...more: string[]
): Promise<void> {
  // No scripts: Electron's would fetch its binary, sqlite3's would compile it, and the engine brings what it needs.
  const flags = [
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
    ...more,
  ];
  await run("npm", ["install", ...flags, ...packages], { cwd: folder });
  // The companion's binaries are built for a release; here there is the one of this machine.
  const built = join(root, "packages/native/build");
  await cp(built, join(folder, "node_modules/@sqlite-aio/native/build"), { recursive: true });
}
