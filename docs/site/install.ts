import { installOnce } from "../install-once.ts";
import { site } from "./pages.ts";

/** Installs VitePress and TypeDoc into this folder as package-lock.json names them, once for each state of that. */
export function install(): void {
  // Not `npm ci`, which wants the lock to name what only other systems need, such as Rollup's binaries for them.
  const failure = installOnce(site, "package-lock.json", ["install", "--no-save", "--ignore-scripts"]);
  if (failure !== null) throw new Error(`docs/site could not be installed: ${failure}`);
}
