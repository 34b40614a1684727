import { suiteConfig } from "../support/suite-config.ts";

// A build of Next takes up to a minute of both cores.
export default suiteConfig({
  root: import.meta.dirname,
  setup: "install.ts",
  testTimeout: 240_000,
  hookTimeout: 240_000,
});
