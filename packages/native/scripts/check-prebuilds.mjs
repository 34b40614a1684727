// Looks into every binary in prebuilds/, or with --host into the one of this machine, and fails if one is unfit.
import assert from "node:assert/strict";
import { join } from "node:path";
import { readBinary } from "./binary.mjs";
import { hostBinary, root } from "./compile.mjs";
import { targets } from "./targets.mjs";

const exported = new Set([
  "sqlite3_extension_init",
  "napi_register_module_v1",
  "node_api_module_get_api_version_v1",
]);
const formats = { linux: "elf", darwin: "macho", win32: "pe" };
// The system's own, so nothing has to be installed beside the binary.
const libraries = {
  linux: /^(libc|libpthread|ld-linux-(x86-64|aarch64))\.so(\.\d+)?$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  win32: /^(KERNEL32\.dll|api-ms-win-crt-[a-z0-9-]+\.dll|msvcrt\.dll|ucrtbase\.dll)$/i,
};

function check(target, file) {
  const [platform, arch] = target.split("-");
  const binary = readBinary(file);
  assert.equal(binary.format, formats[platform], `${target}: format`);
  assert.equal(binary.machine, arch, `${target}: machine`);
  // musl's start files leave their two symbols visible.
  const visible = binary.exports.filter((name) => name !== "_init" && name !== "_fini");
  assert.deepEqual(new Set(visible), exported, `${target}: exports`);
  assert.ok(binary.size < 120_000, `${target}: ${binary.size} bytes`);
  for (const library of binary.libraries)
    assert.match(library, libraries[platform], `${target}: needs ${library}`);
  const engine = binary.imports.filter((name) => name.startsWith("sqlite3_"));
  assert.deepEqual(engine, [], `${target}: SQLite is reached through the table it hands over`);
  if (platform === "win32") {
    const node = binary.imports.filter((name) => name.startsWith("napi_"));
    assert.deepEqual(node, [], `${target}: Node-API is looked up at run time`);
  } else {
    assert.ok(binary.imports.includes("napi_create_function"), `${target}: Node-API comes from the program`);
  }
  if (target === "darwin-arm64") assert.ok(binary.signed, `${target}: macOS kills what is not signed`);
  return `${target.padEnd(18)} ${String(binary.size).padStart(6)} bytes  ${binary.libraries.join(" ")}\n`;
}

const files = process.argv.includes("--host")
  ? [[`${process.platform}-${process.arch}`, hostBinary]]
  : Object.keys(targets).map((target) => [target, join(root, "prebuilds", target, "sqlite-aio.node")]);
for (const [target, file] of files) process.stdout.write(check(target, file));
