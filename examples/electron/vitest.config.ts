import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  test: {
    root: import.meta.dirname,
    include: mode === "electron" ? ["test/electron.suite.ts"] : ["test/{build,main,page,packed}.suite.ts"],
    globalSetup: ["test/setup.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 300_000,
    allowOnly: false,
  },
}));
