import { defineConfig, type ViteUserConfig } from "vitest/config";
import { timeFactor } from "./time-factor.ts";

/** A suite with a command of its own: what it installs or builds first, and how long its tests may take when nothing else runs. */
export interface Suite {
  /** Where its files are; `import.meta.dirname`. */
  readonly root: string;
  readonly include?: readonly string[];
  /** A module that prepares what the tests need. */
  readonly setup: string;
  /** Milliseconds. Default 60,000. */
  readonly testTimeout?: number;
  /** Milliseconds. Default 180,000. */
  readonly hookTimeout?: number;
  /** Files run side by side. Default false: those of most suites start processes that want both cores. */
  readonly fileParallelism?: boolean;
}

/** The configuration of a suite. Its time limits grow with the load of the machine. */
export function suiteConfig(suite: Suite): ViteUserConfig {
  const { root, include = ["*.suite.ts"], setup, fileParallelism = false } = suite;
  const { testTimeout = 60_000, hookTimeout = 180_000 } = suite;
  const factor = timeFactor();
  return defineConfig({
    test: {
      root,
      include: [...include],
      env: { SQLITE_AIO_TIME_FACTOR: String(factor) },
      globalSetup: [setup],
      pool: "forks",
      fileParallelism,
      testTimeout: testTimeout * factor,
      hookTimeout: hookTimeout * factor,
      allowOnly: false,
    },
  });
}
