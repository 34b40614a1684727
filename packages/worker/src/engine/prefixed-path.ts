import type { EngineConstructor, EngineDatabase } from "./engine-api.js";
import { attachNative, native, needsNative } from "./native.js";
import { UsageError } from "../wire/fault.js";

/** Paths with this prefix are opened by the companion's VFS as files that do not change. */
const IMMUTABLE_PREFIX = "file:sqlite-aio-immutable/";

/** The path that opens a file as immutable. */
export function immutablePath(path: string): string {
  return IMMUTABLE_PREFIX + path;
}

/**
 * Opens a path with a prefix of the companion's VFS: the engine reads no URIs, and cannot be told a VFS by name. `what`
 * is named in the error if this is not possible.
 */
export function openPrefixed(
  Database: EngineConstructor,
  path: string,
  options: ConstructorParameters<EngineConstructor>[1],
  what: string,
): EngineDatabase {
  // The VFS is installed through a handle of the same engine.
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
