import { suiteConfig } from "../../../packages/core/test/support/suite-config.ts";

export default suiteConfig({
  root: import.meta.dirname,
  setup: "built.ts",
  hookTimeout: 60_000,
  fileParallelism: true,
});
