import type { EngineConstructor, EngineDatabase } from "./engine-api.js";
import { attachNative, native, needsNative } from "./native.js";
import { UsageError } from "../wire/fault.js";

/** What the companion's VFS opens as a file that nobody changes. */
const IMMUTABLE_PREFIX = "file:sqlite-aio-immutable/";

/** The path of a file that nobody changes. */
export function immutablePath(path: string): string {
  return IMMUTABLE_PREFIX + path;
}

/**
 * Opens a path with a prefix that the companion's VFS knows: the engine reads no URIs, and takes no name of a VFS. `what` is
 * for the error where that cannot be had.
 */
export function openPrefixed(
  Database: EngineConstructor,
  path: string,
  options: ConstructorParameters<EngineConstructor>[1],
  what: string,
): EngineDatabase {
  // The VFS is reached by a handle of the same engine.
  const helper = new Database(":memory:", { readonly: false, fileMustExist: false, timeout: 0 });
  try {
    if (native === null) throw needsNative(what);
    if (helper.readsUris === true)
      throw new UsageError("NOT_SUPPORTED", `${what} cannot be had with this engine`);
    const token = attachNative(helper);
    if (token === 0) throw needsNative(what);
    if (!native.usePrefixes(token, true))
      throw new UsageError(
        "NOT_SUPPORTED",
        `${what} needs SQLite's memdb VFS, which this engine is built without`,
      );
    try {
      return new Database(path, options);
    } finally {
      native.usePrefixes(token, false);
    }
  } finally {
    helper.close();
  }
}
