import { stopCoverage, takeCoverage } from "node:v8";
import { afterAll } from "vitest";

// vitest ends its processes without the exit at which Node would write what was run.
afterAll(() => {
  takeCoverage();
  stopCoverage();
});
