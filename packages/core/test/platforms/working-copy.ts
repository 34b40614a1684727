import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Platform, Site } from "./platform.ts";

/** What is built for all platforms alike. */
const BUILT = ["packages/worker/dist", "packages/core/dist", "packages/sqlite3/dist"];

/** Brings the copy of this repository up to date, with the packages and the companion of the platform. */
export function copyTree(platform: Platform, site: Site): void {
  const { root, tree } = site;
  const files = filesOf(root);
  for (const gone of copied(site)) if (!files.includes(gone)) rmSync(join(tree, gone), { force: true });
  for (const file of files) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    // A link would lead out of the copy.
    cpSync(join(root, file), join(tree, file), { dereference: true });
  }
  writeFileSync(listOf(site), JSON.stringify(files));
  for (const folder of BUILT) {
    rmSync(join(tree, folder), { recursive: true, force: true });
    cpSync(join(root, folder), join(tree, folder), { recursive: true });
  }
  writeWorkspace(platform, site);
  install(site);
  const companion = join("packages/native/prebuilds", platform.name, "sqlite-aio.node");
  rmSync(join(tree, "packages/native/build"), { recursive: true, force: true });
  cpSync(join(root, companion), join(tree, "packages/native/build/sqlite-aio.node"));
}

/** What is in the repository or could be put there, as paths from its root. */
function filesOf(root: string): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  const files = listed.split("\0").filter((file) => file !== "" && existsSync(join(root, file)));
  return files.filter((file) => !file.startsWith("examples/"));
}

function listOf({ folder }: Site): string {
  return join(folder, "copied.json");
}

/** What was copied the last time. */
function copied(site: Site): string[] {
  const list = listOf(site);
  return existsSync(list) ? (JSON.parse(readFileSync(list, "utf8")) as string[]) : [];
}

function writeWorkspace({ workspace }: Platform, { root, tree }: Site): void {
  const before = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const after = before
    .replace(/^ {2}- examples\n/m, "")
    .replace(/^verifyDepsBeforeRun: .*$/m, "verifyDepsBeforeRun: false");
  writeFileSync(join(tree, "pnpm-workspace.yaml"), `${after}\n${workspace}\n`);
}

/** Installs the packages, once for each state of what names them. */
function install({ folder, tree }: Site): void {
  const manifests = ["pnpm-workspace.yaml", "package.json", "pnpm-lock.yaml"];
  const packages = ["core", "native", "sqlite3", "worker"].map((name) => `packages/${name}/package.json`);
  const hash = createHash("sha256");
  for (const file of [...manifests, ...packages]) hash.update(readFileSync(join(tree, file)));
  const wanted = hash.digest("hex");
  const stamp = join(folder, "installed-for");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const flags = ["--ignore-scripts", "--no-frozen-lockfile", "--prefer-offline", "--reporter=append-only"];
  execFileSync("npx", ["-y", "pnpm@12", "install", ...flags], {
    cwd: tree,
    stdio: ["ignore", "ignore", "inherit"],
  });
  // Here the stamp of what was asked for, which pnpm may have written into the lockfile of the copy.
  writeFileSync(stamp, wanted);
}
