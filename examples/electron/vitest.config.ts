import { defineConfig } from "vitest/config";
import { suiteConfig } from "../../packages/core/test/support/suite-config.ts";

export default defineConfig(({ mode }) =>
  suiteConfig({
    root: import.meta.dirname,
    include: mode === "electron" ? ["test/electron.suite.ts"] : ["test/{build,main,page,packed}.suite.ts"],
    setup: "test/setup.ts",
    hookTimeout: 300_000,
  }),
);
