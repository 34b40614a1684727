import { OperationalError } from "./errors.js";
import { isInstance } from "./is-instance.js";

/** Whether a lock that somebody else has is what something failed for: it may be tried again. */
export function isBusy(error: unknown): error is OperationalError {
  return isInstance(error, OperationalError) && error.code.startsWith("SQLITE_BUSY");
}
