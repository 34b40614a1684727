import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { installOnce } from "../../docs/install-once.ts";

/**
 * Installs Prisma into this folder and generates its client there. The drivers' probes report what does not install.
 */
export function installPrisma(say: (line: string) => void): void {
  let fresh = false;
  const failure = installOnce(import.meta.dirname, "package.json", ["ci"], () => {
    fresh = true;
    say("installing Prisma into bench/prisma/node_modules (350 MB)");
  });
  if (failure !== null) say(`${failure}\ngoing on without Prisma`);
  else if (fresh) generate(say);
}

function generate(say: (line: string) => void): void {
  const prisma = createRequire(import.meta.url).resolve("prisma/build/index.js");
  const { status, stderr } = spawnSync(process.execPath, [prisma, "generate", "--schema", "schema.prisma"], {
    cwd: import.meta.dirname,
    // Otherwise Prisma would download the binary of its schema engine, which is not used here.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" },
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status !== 0) say(`Prisma's client was not generated\n${stderr}`);
}
