// Shared by all builds of the C files.
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

/**
 * Runs a compiler. Prints nothing if it succeeds, because zig builds a libc along the way that has warnings of its own.
 */
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
    // System folders: their warnings are not ours to fix.
    ...[nodeApi, engineSource].flatMap((folder) => ["-isystem", folder]),
  ];
}

/** How a compiler names the processors that it builds for. */
const MACHINES = { x64: /^x86_64/, arm64: /^(?:aarch64|arm64)/ };

/**
 * `cc`, or the `zig` of the cross-build or of the PATH; `undefined` if none of them builds for this process. An emulated
 * process finds the compiler of the machine below it.
 */
export function hostCompiler() {
  const candidates = [[process.env.CC ?? "cc"], [zig, "cc"], ["zig", "cc"]];
  return candidates.find(([command, ...first]) => {
    const { status, stdout } = spawnSync(command, [...first, "-dumpmachine"], { encoding: "utf8" });
    return status === 0 && (MACHINES[process.arch]?.test(stdout) ?? true);
  });
}

/** Builds for this machine with the compiler of `hostCompiler()`; `more` are additional files. */
export function compileForHost([command, ...first], flags, output, more = []) {
  // Renamed at the end: a process that loads the old binary must not see half of the new one.
  const unfinished = `${output}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  const link = process.platform === "darwin" ? ["-shared", "-undefined", "dynamic_lookup"] : ["-shared"];
  run(command, [...first, ...commonFlags(), ...flags, ...link, "-o", unfinished, ...sources, ...more]);
  renameSync(unfinished, output);
}
