import { existsSync, rmSync, statSync } from "node:fs";
import { UsageError } from "../wire/fault.js";

/** Size of a database without tables: one page, as libsql creates it for a new replica. */
const EMPTY_BYTES = 4096;

/**
 * Makes sure that libsql continues with the existing files, or starts from nothing. The caller must hold the lock. A
 * replica consists of two files. libsql ignores a database without its index. If the database is lost, libsql creates
 * an empty one beside the old index, and never fills it.
 */
export function pairFiles(path: string): void {
  const index = `${path}-client_wal_index`;
  const database = existsSync(path);
  if (database === existsSync(index)) return;
  if (!database || isEmpty(path)) {
    // Nothing is lost: either the process was stopped before the first frame came, or the database is gone.
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
