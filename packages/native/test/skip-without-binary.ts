import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, expect } from "vitest";

const binary = fileURLToPath(new URL("../build/sqlite-aio.node", import.meta.url));

// Checked before each test, because a test file may build the binary if there is a compiler.
if (/[\\/]packages[\\/]native[\\/]/.test(expect.getState().testPath ?? ""))
  beforeEach(({ skip }) =>
    skip(!existsSync(binary), "needs a C compiler (cc or zig), to build the companion"),
  );
