// What every build of the C files has in common.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const sources = readdirSync(join(root, "src"))
  .filter((name) => name.endsWith(".c"))
  .map((name) => join(root, "src", name));
export const hostBinary = join(root, "build", "sqlite-aio.node");
export const toolchain = join(root, ".toolchain");
export const zig = join(toolchain, "node_modules", "@ryoppippi", "zig-linux-x64", "zig");
export const engineSource = join(dirname(require.resolve("better-sqlite3/package.json")), "deps", "sqlite3");

const nodeApi = join(dirname(require.resolve("node-api-headers/package.json")), "include");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Runs a compiler: silent when it succeeds, since the libc that zig builds along the way has warnings of its own. */
export function run(command, args) {
  const cache = join(toolchain, "cache");
  const env = { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache, ...process.env };
  const { status, error, stderr } = spawnSync(command, args, { env, encoding: "utf8" });
  if (status !== 0)
    throw new Error(`${command} failed: ${error?.message ?? `\n${stderr}`}`, { cause: error });
}

export function commonFlags() {
  return [
    "-std=c11",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Werror",
    `-DSQLITE_AIO_VERSION="${version}"`,
    // Their warnings are not ours.
    ...[nodeApi, engineSource].flatMap((folder) => ["-isystem", folder]),
  ];
}

/** `cc`, or the `zig` that the cross-build installed or the PATH has; `undefined` without any. */
export function hostCompiler() {
  const candidates = [[process.env.CC ?? "cc"], [zig, "cc"], ["zig", "cc"]];
  return candidates.find(([command, ...first]) => spawnSync(command, [...first, "--version"]).status === 0);
}

/** Builds for this machine, with `compiler` as `hostCompiler()` gives it; `more` files are compiled with ours. */
export function compileForHost([command, ...first], flags, output, more = []) {
  // Under another name first: a process that is loading the old binary must not see half of the new one.
  const unfinished = `${output}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  const link = process.platform === "darwin" ? ["-shared", "-undefined", "dynamic_lookup"] : ["-shared"];
  run(command, [...first, ...commonFlags(), ...flags, ...link, "-o", unfinished, ...sources, ...more]);
  renameSync(unfinished, output);
}
