import { defineConfig } from "vitest/config";
import { suiteConfig } from "../support/suite-config.ts";

export default defineConfig(({ mode }) =>
  suiteConfig({
    root: import.meta.dirname,
    // `--mode figures`: what docs/scaling-out.md tells of speed.
    include: [mode === "figures" ? "figures.ts" : "*.suite.ts"],
    setup: "install.ts",
    hookTimeout: 120_000,
    testTimeout: mode === "figures" ? 600_000 : 120_000,
  }),
);
