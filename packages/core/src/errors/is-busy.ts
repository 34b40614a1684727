import { OperationalError } from "./errors.js";
import { isInstance } from "./is-instance.js";

/** Whether a lock of another connection made something fail. A retry may succeed. */
export function isBusy(error: unknown): error is OperationalError {
  return isInstance(error, OperationalError) && error.code.startsWith("SQLITE_BUSY");
}
