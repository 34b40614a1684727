/**
 * Runs TypeORM's own tests for better-sqlite3, once with that and once as type expo with this package's driver:
 * `TYPEORM_SUITE=folder pnpm test:typeorm-suite`, a clone of TypeORM's repository with its packages installed and compiled
 * (`pnpm install && pnpm run compile`). Fails if what passes differs by more than is named below.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The beginnings of the titles of what does not pass as expo; docs/typeorm.md says why. */
const NAMED = [
  "database schema > column types > sqlite ",
  "sqlite driver > busy-timeout ",
  "sqlite driver > throws an error when queried after closing connection ",
  "multi-database > basic-functionality multiple databases ",
  "query runner > drop column when columns are instances of TableColumn should correctly drop column",
  "query runner > drop column when columns are strings should correctly drop column",
];

interface Test {
  readonly fullTitle: string;
  readonly file: string;
}

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number; readonly duration: number };
  readonly passes: readonly Test[];
  readonly failures: readonly (Test & { readonly err: { readonly message?: string } })[];
}

const { TYPEORM_SUITE: given = "" } = process.env;
const suite = resolve(process.env["INIT_CWD"] ?? "", given);
if (given === "" || !existsSync(join(suite, "build/compiled/test"))) {
  console.error(
    "Clone https://github.com/typeorm/typeorm, run pnpm install and pnpm run compile there, and say where: TYPEORM_SUITE=folder pnpm test:typeorm-suite",
  );
  process.exitCode = 2;
} else withConfig(compare);

/** With the file in which TypeORM's tests and commands look for databases, and then with what was there before. */
function withConfig(work: () => void): void {
  const file = join(suite, "ormconfig.json");
  const before = existsSync(file) ? readFileSync(file) : null;
  const config = { skip: false, type: "better-sqlite3", database: "./temp/better-sqlite3.db" };
  writeFileSync(file, JSON.stringify([config]));
  try {
    work();
  } finally {
    if (before === null) rmSync(file);
    else writeFileSync(file, before);
  }
}

function compare(): void {
  const stock = run("better-sqlite3", []);
  const ours = run("expo", ["--require", join(import.meta.dirname, "as-expo.cjs")]);
  const passed = new Set(ours.passes.map(keyOf));
  const lost = stock.passes.filter((test) => !passed.has(keyOf(test)));
  for (const { fullTitle } of lost) console.log("  not as expo: %s", fullTitle);
  const unnamed = lost.filter(({ fullTitle }) => !NAMED.some((title) => fullTitle.startsWith(title)));
  console.log("%d do not pass as expo, %d of them are named", lost.length, lost.length - unnamed.length);
  if (unnamed.length > 0 || stock.passes.length === 0) process.exitCode = 1;
}

function keyOf({ file, fullTitle }: Test): string {
  return `${file} ${fullTitle}`;
}

function run(name: string, options: readonly string[]): Report {
  const folder = mkdtempSync(join(tmpdir(), "typeorm-suite-"));
  try {
    const file = join(folder, "report.json");
    const mocha = join(suite, "node_modules/mocha/bin/mocha.js");
    const reporter = ["--reporter=json", `--reporter-option=output=${file}`];
    spawnSync(process.execPath, [mocha, ...options, ...reporter], { cwd: suite, stdio: "ignore" });
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const { passes, failures, duration } = report.stats;
    for (const { fullTitle, err } of report.failures)
      console.log("  failed: %s: %s", fullTitle, err.message?.split("\n")[0]);
    console.log("%s: %d passed, %d failed in %d s", name, passes, failures, Math.round(duration / 1000));
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
