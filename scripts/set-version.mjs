// Sets the version of all packages, which always have the same one: `node scripts/set-version.mjs 0.2.0`. With --check
// it fails if a package has another version; a release runs this first.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const root = new URL("../", import.meta.url);
const check = process.argv.includes("--check");
const version = process.argv.slice(2).find((argument) => argument !== "--check");
if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version ?? "")) {
  process.stderr.write("usage: node scripts/set-version.mjs [--check] 1.2.3\n");
  process.exit(2);
}

const manifests = readdirSync(new URL("packages/", root)).map((name) => `packages/${name}/package.json`);
const places = [
  ...manifests.map((file) => [file, /("version": ")([^"]+)(")/]),
  ["packages/core/src/version.ts", /(export const version = ")([^"]+)(")/],
];
for (const [file, pattern] of places) {
  const text = readFileSync(new URL(file, root), "utf8");
  const found = pattern.exec(text)?.[2];
  if (check && found !== version) {
    process.stderr.write(`${file} has version ${found}, not ${version}\n`);
    process.exitCode = 1;
  }
  if (!check) writeFileSync(new URL(file, root), text.replace(pattern, `$1${version}$3`));
}
