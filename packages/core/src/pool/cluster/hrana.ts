import type * as Hrana from "@libsql/hrana-client";
import { createRequire } from "node:module";
import { join } from "node:path";
import { NotSupportedError } from "../../errors/errors.js";

/** The package that speaks to servers of libsql, as far as it is used here. */
export type HranaModule = Pick<typeof Hrana, "openHttp" | "BatchCond">;

/**
 * Loads it. It is optional, so that no bundler may be made to look for it: it is found beside this package, or where the
 * program runs. Throws NotSupportedError.
 */
export function loadHrana(): HranaModule {
  let missing: unknown;
  for (const from of [import.meta.filename, join(process.cwd(), "noop.js")]) {
    // In a bundle of CommonJS there is no such thing.
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
