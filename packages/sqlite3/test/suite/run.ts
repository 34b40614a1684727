/**
 * Runs node-sqlite3's own tests against this package: `pnpm test:sqlite3-suite [runs]`. They are in its repository; SQLITE3_SUITE
 * names a clone of that. Without it they are looked for in the package that npm has, which has brought none so far.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SQLITE3 = "sqlite3@6.0.1";
/** What node-sqlite3 runs them with. */
const MOCHA = "mocha@10.2.0";
const ours = fileURLToPath(new URL("../..", import.meta.url));

interface Test {
  readonly fullTitle: string;
  readonly file: string;
  readonly err: { readonly message?: string };
}

interface Report {
  readonly stats: { readonly tests: number; readonly passes: number; readonly duration: number };
  readonly tests: readonly Test[];
  readonly failures: readonly Test[];
}

const workshop = mkdtempSync(join(tmpdir(), "sqlite3-suite-"));
try {
  const suite = findSuite();
  if (suite === null) {
    console.error(
      `The npm package ${SQLITE3} has no tests. Clone https://github.com/TryGhost/node-sqlite3 and say where: SQLITE3_SUITE=folder pnpm test:sqlite3-suite`,
    );
    process.exitCode = 2;
  } else run(suite, Number(process.argv[2] ?? 1));
} finally {
  rmSync(workshop, { recursive: true, force: true });
}

/** The folder that holds `test`; null if it cannot be had. */
function findSuite(): string | null {
  const { SQLITE3_SUITE: given = "" } = process.env;
  if (given !== "") {
    const folder = resolve(process.env["INIT_CWD"] ?? "", given);
    if (!existsSync(join(folder, "test", "support", "createdb.js")))
      throw new Error(`${folder} is no clone of node-sqlite3: there is no test/support/createdb.js`);
    return folder;
  }
  execFileSync("npm", ["pack", SQLITE3, "--silent", "--pack-destination", workshop], { stdio: "ignore" });
  execFileSync("tar", ["-xzf", `${SQLITE3.replace("@", "-")}.tgz`], { cwd: workshop });
  const folder = join(workshop, "package");
  return existsSync(join(folder, "test", "support", "createdb.js")) ? folder : null;
}

function run(suite: string, times: number): void {
  const folder = join(workshop, "run");
  mkdirSync(join(folder, "lib"), { recursive: true });
  cpSync(join(suite, "test"), join(folder, "test"), { recursive: true });
  for (const made of ["big.db", "big.db-journal"])
    rmSync(join(folder, "test/support", made), { force: true });
  writeFileSync(join(folder, "lib/sqlite3.js"), `module.exports = require(${JSON.stringify(ours)});\n`);
  writeFileSync(join(folder, "package.json"), '{ "name": "sqlite3", "main": "./lib/sqlite3.js" }\n');
  execFileSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", MOCHA], {
    cwd: folder,
    stdio: "ignore",
  });
  execFileSync(process.execPath, ["test/support/createdb.js"], { cwd: folder, stdio: "inherit" });
  for (let time = 1; time <= times; time++) {
    const report = runOnce(folder);
    const { tests, passes, duration } = report.stats;
    for (const { fullTitle, err } of report.failures) console.log(`  failed: ${fullTitle}: ${err.message}`);
    if (time === 1) printTable(report);
    console.log(`run ${time}: ${passes} of ${tests} passed in ${(duration / 1000).toFixed(0)} s`);
    if (passes < tests || tests === 0) process.exitCode = 1;
  }
}

function runOnce(folder: string): Report {
  const file = join(folder, "report.json");
  rmSync(file, { force: true });
  const mocha = join(folder, "node_modules/mocha/bin/mocha.js");
  const options = ["--reporter=json", `--reporter-option=output=${file}`, "--timeout=480000", "--exit"];
  spawnSync(process.execPath, [mocha, ...options], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  return JSON.parse(readFileSync(file, "utf8")) as Report;
}

function printTable({ tests, failures }: Report): void {
  const failed = new Set(failures.map(({ fullTitle }) => fullTitle));
  const files = Map.groupBy(tests, ({ file }) => file.slice(file.lastIndexOf("/") + 1));
  for (const [file, all] of files) {
    const passed = all.filter(({ fullTitle }) => !failed.has(fullTitle)).length;
    console.log(`| ${file} | ${passed} of ${all.length} |`);
  }
}
