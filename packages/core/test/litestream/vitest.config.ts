import { suiteConfig } from "../support/suite-config.ts";

export default suiteConfig({
  root: import.meta.dirname,
  setup: "install.ts",
  testTimeout: 30_000,
  hookTimeout: 60_000,
});
