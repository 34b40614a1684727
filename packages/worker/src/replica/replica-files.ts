import { existsSync, rmSync, statSync } from "node:fs";
import { UsageError } from "../wire/fault.js";

/** A database without a table is one page of this size, as libsql makes it when it opens a new replica. */
const EMPTY_BYTES = 4096;

/**
 * Makes sure that libsql will go on with what is there, or begin anew. To be called by who has the lock. A replica is two
 * files: libsql counts a database without its index as none, and next to the index of a lost database it begins an empty
 * one, which it never fills.
 */
export function pairFiles(path: string): void {
  const index = `${path}-client_wal_index`;
  const database = existsSync(path);
  if (database === existsSync(index)) return;
  if (!database || isEmpty(path)) {
    // Nothing is lost: whoever made it was stopped before the first frame came, or the database is gone.
    for (const file of [path, index, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
    return;
  }
  throw new UsageError(
    "NO_REPLICA",
    `${path} is no replica, or its ${index} is lost: move the file away, and it is fetched anew from the primary`,
  );
}

function isEmpty(path: string): boolean {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return log === 0 && statSync(path).size <= EMPTY_BYTES;
}
