/**
 * Runs tests on systems that this machine only emulates, in copies of this repository:
 * `pnpm test:platforms [--short] [--install] [--workers n] [--folder path] [linux-arm64] [win32-x64]`. Linux x64 only.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { linuxArm64 } from "./linux-arm64.ts";
import type { Platform, Site } from "./platform.ts";
import { leftOut, type Outcome, outcomeOf } from "./report.ts";
import { win32X64 } from "./win32-x64.ts";
import { copyTree } from "./working-copy.ts";

const PLATFORMS: readonly Platform[] = [linuxArm64, win32X64];
const root = fileURLToPath(new URL("../../../..", import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** A few files of each package. */
    short: { type: "boolean", default: false },
    /** Installs Debian's packages that are missing. */
    install: { type: "boolean", default: false },
    /** Test files side by side. */
    workers: { type: "string", default: "1" },
    /** Where the copies are kept. Not below a folder `node_modules`, where Node reads no TypeScript. */
    folder: { type: "string", default: join(tmpdir(), "sqlite-aio-platforms") },
    /** Files in place of those that are run otherwise. */
    file: { type: "string", multiple: true },
  },
});

const wanted = positionals.length === 0 ? PLATFORMS : positionals.map(named);
if (`${process.platform} ${process.arch}` !== "linux x64")
  throw new Error(`the emulators are those of Debian on x64; this is ${process.platform} ${process.arch}`);
for (const platform of wanted) requireEmulator(platform);
execFileSync(process.execPath, ["packages/native/scripts/prebuild.mjs", ...wanted.map(({ name }) => name)], {
  cwd: root,
  stdio: ["ignore", "ignore", "inherit"],
});
let failed = 0;
for (const platform of wanted) failed += test(platform) ? 0 : 1;
process.exitCode = failed === 0 ? 0 : 1;

function named(name: string): Platform {
  const platform = PLATFORMS.find((each) => each.name === name);
  if (platform !== undefined) return platform;
  throw new RangeError(
    `no platform is called ${name}: there are ${PLATFORMS.map((each) => each.name).join(", ")}`,
  );
}

/** Installs it where that was asked for; otherwise throws an error that says how. */
function requireEmulator({ title, debian, needed }: Platform): void {
  const missing = needed.filter((file) => !existsSync(file));
  if (missing.length === 0) return;
  const command = ["apt-get", "install", "-y", "--no-install-recommends", ...debian];
  if (!values.install)
    throw new Error(
      `${title} needs ${missing.join(", ")}: run it with --install as root, or yourself ${command.join(" ")}`,
    );
  execFileSync(command[0]!, command.slice(1), { stdio: ["ignore", "ignore", "inherit"] });
}

function test(platform: Platform): boolean {
  const site = prepare(platform);
  const report = join(site.folder, "report.json");
  rmSync(report, { force: true });
  const files = values.file ?? (values.short ? platform.short : platform.tests);
  const excluded = leftOut(platform.name).flatMap(({ file }) => ["--exclude", `**/${file}`]);
  const began = performance.now();
  try {
    // Into files: in Wine a pipe is no output.
    const log = openSync(join(site.folder, "log"), "w");
    const { file, args, env } = platform.command(site, [
      join("node_modules", "vitest", "vitest.mjs"),
      "run",
      ...files,
      ...excluded,
      `--maxWorkers=${values.workers}`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${platform.name === "win32-x64" ? `Z:${report}` : report}`,
    ]);
    spawnSync(file, args, {
      cwd: site.tree,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
    });
  } finally {
    platform.end(site);
  }
  if (!existsSync(report)) {
    console.log(
      "%s: vitest has ended without a report; %s says why",
      platform.title,
      join(site.folder, "log"),
    );
    return false;
  }
  const outcome = outcomeOf(platform.name, report);
  tell(platform, outcome, (performance.now() - began) / 1000);
  return outcome.failed.length === 0 && outcome.passed > 0;
}

function prepare(platform: Platform): Site {
  const folder = join(resolve(values.folder), platform.name);
  const [name = ""] = platform.node.split("@");
  const node = join(folder, "node/node_modules", name, platform.program);
  const site: Site = { root, folder, tree: join(folder, "tree"), node };
  mkdirSync(site.tree, { recursive: true });
  // It is for another system than this one.
  const npm = ["install", "--force", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
  execFileSync("npm", [...npm, "--prefix", join(folder, "node"), platform.node], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  platform.prepare(site);
  copyTree(platform, site);
  return site;
}

function tell({ title, node }: Platform, outcome: Outcome, seconds: number): void {
  const { passed, skipped, excepted, failed: lines, needless } = outcome;
  for (const line of lines) console.log("  failed: %s", line);
  for (const line of excepted) console.log("  cannot run: %s", line);
  for (const line of needless) console.log("  passes, though it is named as what cannot run: %s", line);
  console.log(
    "%s, %s: %d passed, %d failed, %d skipped by themselves, %d cannot run there, %d s",
    title,
    node,
    passed,
    lines.length,
    skipped,
    excepted.length,
    Math.round(seconds),
  );
}
