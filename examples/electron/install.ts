// Installs the app with the packages of this repository as they would be published: `node install.ts`.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { addPackages, pack } from "../../packages/core/test/support/packed.ts";

const folder = import.meta.dirname;

/** Installs everything except Electron's binary, which building and packing do not need. */
export async function install(): Promise<void> {
  const tarballs = await mkdtemp(join(tmpdir(), "sqlite-aio-electron-"));
  try {
    const packages = await Promise.all(["core", "worker", "native"].map((name) => pack(name, tarballs)));
    // npm would keep an installed package of the same version.
    await rm(join(folder, "node_modules/@sqlite-aio"), { recursive: true, force: true });
    await rm(join(folder, "node_modules/.package-lock.json"), { force: true });
    await addPackages(folder, packages, "--no-save");
  } finally {
    await rm(tarballs, { recursive: true });
  }
}

if (import.meta.main) {
  await install();
  await promisify(execFile)(process.execPath, ["node_modules/electron/install.js"], { cwd: folder });
}
