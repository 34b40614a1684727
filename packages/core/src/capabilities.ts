import { native, nativeMissing } from "@sqlite-aio/worker";
import { NotSupportedError } from "./errors/errors.js";

/** What the optional package `@sqlite-aio/native` adds, and whether it is installed. */
export interface Capabilities {
  /** `interrupt()`, `signal` and `timeout` stop a running statement. */
  readonly interrupt: boolean;
  /** `setAuthorizer()`. */
  readonly authorizer: boolean;
  /** `setProgressHandler()`. */
  readonly progressHandler: boolean;
  /** Table change events. */
  readonly changes: boolean;
  /** `setlimit()`, `setconfig()`, and the options `limits` and `doubleQuotedStrings`. */
  readonly limits: boolean;
  /** `setUpdateHook()`, `setCommitHook()` and `setRollbackHook()`. */
  readonly hooks: boolean;
  /** Functions can be marked innocuous, and removed again. */
  readonly functions: boolean;
  /** `createCollation()`. */
  readonly collations: boolean;
  /** `blobopen()`. */
  readonly blobs: boolean;
  /** `deserialize()` into a database other than `"main"`. */
  readonly images: boolean;
  /** In-memory databases that several connections share by name. */
  readonly sharedMemory: boolean;
  /** The option `readonly: "immutable"`. */
  readonly immutable: boolean;
}

const there = native !== null;

/** What this installation can do. */
export const capabilities: Capabilities = {
  interrupt: there,
  authorizer: there,
  progressHandler: there,
  changes: there,
  limits: there,
  hooks: there,
  functions: there,
  collations: there,
  blobs: there,
  images: there,
  sharedMemory: there,
  immutable: there,
};

/** @internal The error for `what`, which needs the native companion. */
export function needsNative(what: string): NotSupportedError {
  return new NotSupportedError(`${what} needs the package @sqlite-aio/native, ${nativeMissing}`);
}
