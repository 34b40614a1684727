import type { ResourceLimits } from "node:worker_threads";
import { isRecord } from "./option-table.js";

/** The names that `new Worker` knows; it ignores others. */
const RESOURCES: ReadonlySet<string> = new Set([
  "maxOldGenerationSizeMb",
  "maxYoungGenerationSizeMb",
  "codeRangeSizeMb",
  "stackSizeMb",
]);

/** Checks the limits of a thread. Throws TypeError. */
export function resolveResources(limits: unknown): ResourceLimits {
  if (!isRecord(limits)) throw new TypeError('option "resourceLimits" must be an object');
  for (const [name, value] of Object.entries(limits)) {
    if (!RESOURCES.has(name)) throw new TypeError(`option "resourceLimits": there is no limit "${name}"`);
    if (value !== undefined && typeof value !== "number")
      throw new TypeError(`option "resourceLimits": "${name}" must be a number`);
  }
  return limits;
}
