// For folders with their own packages, which the workspace does not install: bench, docs/site, the tests with
// Litestream.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs npm in `folder`, once for each state of its file `manifest`.
 * @param npm - The arguments: `["ci"]`.
 * @param first - Called before npm is.
 * @returns What npm said if it failed, else null.
 */
export function installOnce(
  folder: string,
  manifest: string,
  npm: readonly string[],
  first: () => void = () => {},
): string | null {
  const stamp = join(folder, "node_modules/.installed-for");
  const wanted = createHash("sha256")
    .update(readFileSync(join(folder, manifest)))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return null;
  first();
  const { status, stderr } = spawnSync("npm", [...npm, "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) return `npm ${npm[0]} failed (${status ?? "npm was not found"})\n${stderr ?? ""}`;
  writeFileSync(stamp, wanted);
  return null;
}
