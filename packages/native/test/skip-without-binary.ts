import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, expect } from "vitest";

const binary = fileURLToPath(new URL("../build/sqlite-aio.node", import.meta.url));

// Before each, since the files of the tests build it where it is missing and there is a compiler.
if (/[\\/]packages[\\/]native[\\/]/.test(expect.getState().testPath ?? ""))
  beforeEach(({ skip }) =>
    skip(!existsSync(binary), "needs a C compiler (cc or zig), to build the companion"),
  );
