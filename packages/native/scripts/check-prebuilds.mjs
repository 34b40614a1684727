// Checks the binaries in prebuilds/: all, or those of the named targets, or with --host the one of this machine. Fails
// if one is unfit.
import assert from "node:assert/strict";
import { join } from "node:path";
import { readBinary } from "./binary.mjs";
import { hostBinary, root } from "./compile.mjs";
import { namedTargets } from "./targets.mjs";

const exported = new Set([
  "sqlite3_extension_init",
  "napi_register_module_v1",
  "node_api_module_get_api_version_v1",
]);
const formats = { linux: "elf", darwin: "macho", win32: "pe" };
// Only libraries of the system, so nothing has to be installed beside the binary.
const libraries = {
  linux: /^(libc|libpthread|ld-linux-(x86-64|aarch64))\.so\.\d+$/,
  // musl's loader knows itself by this name, whatever its file is called.
  musl: /^libc\.so$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  win32: /^(KERNEL32\.dll|api-ms-win-crt-[a-z0-9-]+\.dll|msvcrt\.dll|ucrtbase\.dll)$/i,
};

/**
 * The glibc version that the published binaries may need: that of CentOS 7, which is older than any on which Node 22
 * runs.
 */
const OLDEST_GLIBC = "2.17";

/** Whether version `a` of glibc, such as 2.9, is newer than `b`. */
function isNewer(a, b) {
  const [major, minor] = a.split(".").map(Number);
  const [otherMajor, otherMinor] = b.split(".").map(Number);
  return major > otherMajor || (major === otherMajor && minor > otherMinor);
}

/** The C library that a Linux binary needs, for the table. */
function checkLibc(target, { versions }, isPublished) {
  if (target.endsWith("-musl")) {
    assert.deepEqual(versions, [], `${target}: musl's symbols have no versions`);
    return "musl";
  }
  const glibc = versions.map((name) => /^GLIBC_(\d+\.\d+)/.exec(name)?.[1]);
  assert.ok(!glibc.includes(undefined), `${target}: needs ${versions.join(" ")}`);
  const newest = glibc.reduce((a, b) => (isNewer(b, a) ? b : a), "2.0");
  if (isPublished) assert.ok(!isNewer(newest, OLDEST_GLIBC), `${target}: needs glibc ${newest}`);
  return `glibc ${newest}`;
}

function check(target, file, isPublished) {
  const [platform, arch, libc = platform] = target.split("-");
  const binary = readBinary(file);
  assert.equal(binary.format, formats[platform], `${target}: format`);
  assert.equal(binary.machine, arch, `${target}: machine`);
  // musl's start files export two symbols of their own.
  const visible = binary.exports.filter((name) => name !== "_init" && name !== "_fini");
  assert.deepEqual(new Set(visible), exported, `${target}: exports`);
  assert.ok(binary.size < 120_000, `${target}: ${binary.size} bytes`);
  for (const library of binary.libraries)
    assert.match(library, libraries[libc], `${target}: needs ${library}`);
  const engine = binary.imports.filter((name) => name.startsWith("sqlite3_"));
  assert.deepEqual(engine, [], `${target}: SQLite is reached through the table it hands over`);
  if (platform === "win32") {
    const node = binary.imports.filter((name) => name.startsWith("napi_"));
    assert.deepEqual(node, [], `${target}: Node-API is looked up at run time`);
  } else {
    assert.ok(binary.imports.includes("napi_create_function"), `${target}: Node-API comes from the program`);
  }
  if (target === "darwin-arm64") assert.ok(binary.signed, `${target}: macOS kills what is not signed`);
  const needs = platform === "linux" ? [checkLibc(target, binary, isPublished)] : [];
  const said = [...needs, ...binary.libraries].join(" ");
  return `${target.padEnd(18)} ${String(binary.size).padStart(6)} bytes  ${said}\n`;
}

const names = process.argv.slice(2);
if (names.includes("--host")) {
  process.stdout.write(check(`${process.platform}-${process.arch}`, hostBinary, false));
} else {
  for (const target of namedTargets(names)) {
    process.stdout.write(check(target, join(root, "prebuilds", target, "sqlite-aio.node"), true));
  }
}
