// Builds the C files with gcc's sanitizers and stresses them inside Node: once for memory (addresses, undefined
// behaviour, leaks), once for threads. Linux only. Node and the engine are not instrumented, so the runtime has to be
// preloaded, and sees only their malloc and free.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileForHost, root } from "./compile.mjs";

const rounds = process.argv[2] ?? "1000";
const compiler = process.env.CC ?? "gcc";
const stress = join(dirname(fileURLToPath(import.meta.url)), "stress.mjs");

function sanitize(kinds, runtimes, options, starter = []) {
  const folder = join(root, "build", `sanitize-${kinds.replace(",", "-")}`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, "index.cjs"), join(folder, "index.cjs"));
  // OpenSSL never frees what it allocates at its start.
  writeFileSync(join(folder, "leaks"), "leak:CRYPTO_malloc\n");
  const flags = ["-O1", "-g", "-fno-omit-frame-pointer", `-fsanitize=${kinds}`, "-fno-sanitize-recover=all"];
  compileForHost([compiler], flags, join(folder, "build", "sqlite-aio.node"));

  const preload = runtimes.map((name) =>
    execFileSync(compiler, [`-print-file-name=${name}`], { encoding: "utf8" }).trim(),
  );
  const [command, ...args] = [...starter, process.execPath, stress, join(folder, "index.cjs"), rounds];
  const { status } = spawnSync(command, args, {
    stdio: "inherit",
    env: {
      ...process.env,
      ...options,
      LD_PRELOAD: preload.join(" "),
      LSAN_OPTIONS: `suppressions=${join(folder, "leaks")}:print_suppressions=0`,
    },
  });
  process.stdout.write(`${kinds}: ${status === 0 ? "clean" : "failed"}\n`);
  if (status !== 0) process.exitCode = 1;
}

sanitize("address,undefined", ["libasan.so", "libubsan.so"], { ASAN_OPTIONS: "detect_leaks=1" });
// ThreadSanitizer's shadow memory does not fit around randomized addresses.
sanitize("thread", ["libtsan.so"], { TSAN_OPTIONS: "ignore_noninstrumented_modules=1" }, ["setarch", "-R"]);
