import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { site } from "./pages.ts";

/** Installs VitePress and TypeDoc into this folder as package-lock.json names them, once for each state of that. */
export function install(): void {
  const stamp = join(site, "node_modules/.installed-for");
  const wanted = createHash("sha256")
    .update(readFileSync(join(site, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  // Not `npm ci`, which wants the lock to name what only other systems need, such as Rollup's binaries for them.
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr } = spawnSync("npm", ["install", ...flags], {
    cwd: site,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`docs/site could not be installed:\n${stderr ?? "npm was not found"}`);
  writeFileSync(stamp, wanted);
}
