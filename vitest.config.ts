import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  test: {
    // `--mode without-native`: as where the companion is not installed; child processes and threads see it, too.
    env: mode === "without-native" ? { SQLITE_AIO_NATIVE: "off" } : {},
    include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"],
    // Real processes: a test that ends a worker thread or crashes the engine must not take the others with it.
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    allowOnly: false,
  },
}));
