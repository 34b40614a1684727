import { suiteConfig } from "../../../core/test/support/suite-config.ts";

export default suiteConfig({ root: import.meta.dirname, setup: "workshop.ts", hookTimeout: 300_000 });
