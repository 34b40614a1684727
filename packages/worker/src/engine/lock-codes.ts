/**
 * SQLite's busy handler sleeps inside a native call that nothing can interrupt. So it waits in slices of this many ms.
 */
export const BUSY_SLICE_MS = 20;

/** Result codes of a lock that may go away. */
export const LOCK_CODES: ReadonlySet<string> = new Set([
  "SQLITE_BUSY",
  "SQLITE_BUSY_RECOVERY",
  "SQLITE_BUSY_TIMEOUT",
]);
