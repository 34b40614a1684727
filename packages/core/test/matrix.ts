/**
 * Runs the tests of the packages on the oldest Node that the library supports, on the one that the workspace uses, and
 * on the newest: `pnpm test:matrix [version ...]`. The runtimes come from npm, where Node itself is a package.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = ["22.14.0", "24", "26"];

const root = fileURLToPath(new URL("../../..", import.meta.url));
const cache = join(root, "node_modules", ".cache", "sqlite-aio-matrix");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const wanted = process.argv.slice(2);
let failed = 0;
for (const version of wanted.length > 0 ? wanted : VERSIONS) {
  const node = install(version);
  const name = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const began = performance.now();
  const report = test(node, name);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  for (const { name: file, message, assertionResults } of report.testResults) {
    if (message !== "") console.log(`${file}: ${message}`);
    for (const { status, fullName } of assertionResults)
      if (status === "failed") console.log(`  failed: ${fullName}`);
  }
  console.log(`Node ${name}: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${seconds} s`);
  if (!report.success) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;

/** The path of a Node of that version. */
function install(version: string): string {
  const folder = join(cache, version);
  mkdirSync(folder, { recursive: true });
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const npm = ["install", "--no-save", "--no-package-lock", "--prefix", folder, `${name}@${version}`];
  execFileSync("npm", npm, { stdio: ["ignore", "ignore", "inherit"] });
  return join(folder, "node_modules", name, "bin", "node");
}

function test(node: string, name: string): Report {
  const file = join(cache, `${name}.json`);
  const options = ["--reporter=json", `--outputFile=${file}`, "packages/"];
  const { status } = spawnSync(node, [vitest, "run", ...options], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      // Programs that tests start by name are to be of that version, too.
      PATH: `${join(node, "..")}:${process.env.PATH}`,
      // The programs are TypeScript, which Node reads unasked since 22.18.
      NODE_OPTIONS: "--experimental-strip-types --disable-warning=ExperimentalWarning",
    },
  });
  if (status === null) throw new Error(`vitest was killed on Node ${name}`);
  return JSON.parse(readFileSync(file, "utf8")) as Report;
}
