import { defineConfig } from "vitest/config";
import { suiteConfig } from "../support/suite-config.ts";

export default defineConfig(({ mode }) =>
  suiteConfig({
    root: import.meta.dirname,
    // `--mode figures`: what docs/prisma.md tells of speed.
    include: [mode === "figures" ? "figures.ts" : "*.suite.ts"],
    setup: "install.ts",
    ...(mode === "figures" && { testTimeout: 300_000 }),
  }),
);
