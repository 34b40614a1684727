import { suiteConfig } from "../support/suite-config.ts";

export default suiteConfig({ root: import.meta.dirname, setup: "workshop.ts" });
