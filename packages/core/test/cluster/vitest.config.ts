import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  test: {
    root: import.meta.dirname,
    // `--mode figures`: what docs/scaling-out.md tells of speed.
    include: [mode === "figures" ? "figures.ts" : "*.suite.ts"],
    globalSetup: ["install.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: mode === "figures" ? 600_000 : 120_000,
    hookTimeout: 120_000,
    allowOnly: false,
  },
}));
