// Runs before packing: a package without its binaries would install without an error and do nothing.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./compile.mjs";
import { targets } from "./targets.mjs";

const missing = Object.keys(targets).filter(
  (target) => !existsSync(join(root, "prebuilds", target, "sqlite-aio.node")),
);
if (missing.length > 0) {
  process.stderr.write(
    `@sqlite-aio/native cannot be packed: prebuilds/ has no binary for ${missing.join(", ")}.\n` +
      "Build them first: pnpm --filter @sqlite-aio/native build:all (on Linux x64).\n",
  );
  process.exitCode = 1;
}
