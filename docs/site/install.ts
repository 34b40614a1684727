import { installOnce } from "../install-once.ts";
import { site } from "./pages.ts";

/** Installs VitePress and TypeDoc into this folder as package-lock.json names them, once per state of that file. */
export function install(): void {
  // Not `npm ci`, which requires the lock file to name packages that only other systems need, such as Rollup's
  // binaries.
  const failure = installOnce(site, "package-lock.json", ["install", "--no-save", "--ignore-scripts"]);
  if (failure !== null) throw new Error(`docs/site could not be installed: ${failure}`);
}
