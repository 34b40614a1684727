import { installOnce } from "../docs/install-once.ts";

/**
 * Installs the peers into this folder as package-lock.json names them, once for each state of package.json. If a
 * package does not install, the drivers' probes report it.
 */
export function installPeers(say: (line: string) => void): void {
  const failure = installOnce(import.meta.dirname, "package.json", ["ci"], () =>
    say("installing the peers into bench/node_modules (sqlite3 may be compiled: about a minute)"),
  );
  if (failure !== null) say(`${failure}\ngoing on with what is there`);
}
