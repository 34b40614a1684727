import type * as Hrana from "@libsql/hrana-client";
import { createRequire } from "node:module";
import { join } from "node:path";
import { NotSupportedError } from "../../errors/errors.js";

/** The part of `@libsql/hrana-client` that is used here. It speaks to libsql-servers. */
export type HranaModule = Pick<typeof Hrana, "openHttp" | "BatchCond">;

/**
 * Loads the optional package. Bundlers must not see the import, so it is looked for beside this package, and in the
 * working directory. Throws NotSupportedError.
 */
export function loadHrana(): HranaModule {
  let missing: unknown;
  for (const from of [import.meta.filename, join(process.cwd(), "noop.js")]) {
    // `import.meta.filename` is undefined in a CommonJS bundle.
    if (from === undefined) continue;
    try {
      return createRequire(from)("@libsql/hrana-client") as HranaModule;
    } catch (error) {
      missing = error;
    }
  }
  throw new NotSupportedError(
    "a primary needs the package @libsql/hrana-client: install it beside this one",
    {
      code: "SQLITE_AIO_HRANA_MISSING",
      cause: missing,
    },
  );
}
