import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const STAMP = fileURLToPath(new URL("./node_modules/.installed-for", import.meta.url));

/**
 * Installs the peers into this folder as package-lock.json names them, once for each state of package.json. A package that does not install is left to the
 * drivers' probes, which name what is missing.
 */
export function installPeers(say: (line: string) => void): void {
  const wanted = createHash("sha256")
    .update(readFileSync(`${HERE}package.json`))
    .digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted) return;
  say("installing the peers into bench/node_modules (sqlite3 may be compiled: about a minute)");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { status, stderr } = spawnSync(npm, ["ci", "--no-audit", "--no-fund"], {
    cwd: HERE,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status === 0) writeFileSync(STAMP, wanted);
  else say(`npm ci failed (${status ?? "npm was not found"}); going on with what is there\n${stderr ?? ""}`);
}
