import { realpathSync, statSync } from "node:fs";
import { type EngineDatabase, prepareOwn } from "./engine-api.js";

/**
 * Moves the write-ahead log of a file into it, and empties the log, as far as other connections' readers allow. Does
 * nothing if there is no log, or an empty one, as after a connection that has only read.
 */
export function emptyLog(db: EngineDatabase, path: string): void {
  try {
    // SQLite puts the log beside the file itself, not beside a link to it.
    const bytes = statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes > 0) prepareOwn(db, "PRAGMA wal_checkpoint(TRUNCATE)").all();
  } catch {
    // Nothing is lost: the next checkpoint or the next open takes care of the log.
  }
}
