import { suiteConfig } from "../support/suite-config.ts";

export default suiteConfig({
  root: import.meta.dirname,
  setup: "install.ts",
  testTimeout: 240_000,
  hookTimeout: 240_000,
});
