import { join } from "node:path";
import { installOnce } from "../../../../docs/install-once.ts";
import { binaryFor } from "./binary.ts";

/** Installs libsql-server as package-lock.json names it, once for each state of that. */
export function setup(): void {
  binaryFor(process.platform, process.arch);
  // A package.json beside the tests would hide that of `@sqlite-aio/core`, by whose name they import it.
  const failure = installOnce(join(import.meta.dirname, "npm"), "package-lock.json", [
    "ci",
    "--ignore-scripts",
  ]);
  if (failure !== null) throw new Error(`libsql-server could not be installed: ${failure}`);
}
