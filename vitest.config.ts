import { defineConfig } from "vitest/config";
import { SkippedReporter } from "./packages/core/test/support/skipped-reporter.ts";
import { timeFactor } from "./packages/core/test/support/time-factor.ts";

const factor = timeFactor();

export default defineConfig(({ mode }) => ({
  test: {
    env: environment(mode),
    reporters: ["default", new SkippedReporter()],
    include: mode === "other-realm" ? CORE : ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"],
    setupFiles: [
      "packages/native/test/skip-without-binary.ts",
      ...(process.env.NODE_V8_COVERAGE === undefined ? [] : ["packages/core/test/take-coverage.ts"]),
    ],
    // As Node loads it, not as vitest rewrites it.
    server: { deps: { external: [/\/packages\/\w+\/dist\//] } },
    // Real processes: a test that ends a worker thread or crashes the engine must not take the others with it.
    // `other-realm`: each file in a context of its own, with built-in classes of its own, as under Jest.
    pool: mode === "other-realm" ? "vmForks" : "forks",
    testTimeout: mode === "soak" ? 30 * 60_000 : 20_000 * factor,
    hookTimeout: mode === "soak" ? 10 * 60_000 : 60_000 * factor,
    // Most of the time is spent waiting; but in a soak one test would spoil the figures of another.
    maxWorkers: "100%",
    fileParallelism: mode !== "soak",
    allowOnly: false,
  },
}));

/** What `test:other-realm` runs: all that crosses between the threads, and what is checked before. */
const CORE = ["values", "options", "errors", "connection", "pool"].map(
  (folder) => `packages/core/test/${folder}/**/*.test.ts`,
);

/** Of the tests, and of their threads and child processes. */
function environment(mode: string): Record<string, string> {
  const limits = { SQLITE_AIO_TIME_FACTOR: String(factor) };
  // As where the companion is not installed.
  if (mode === "without-native") return { ...limits, SQLITE_AIO_NATIVE: "off" };
  // `pnpm test:soak`: packages/core/test/reliability/scale.ts.
  if (mode === "soak") return { ...limits, SQLITE_AIO_SOAK: "1" };
  return limits;
}
