import { sqliteVersion, sqliteVersionInfo } from "@sqlite-aio/core";

const [major, minor, patch] = sqliteVersionInfo;

/** Version of SQLite. */
export const VERSION: string = sqliteVersion;
/** The same as a number: 3054001 is 3.54.1. */
export const VERSION_NUMBER: number = major * 1_000_000 + minor * 1_000 + patch;
/** `sqlite_source_id()` of the engine that this release was tested with. */
export const SOURCE_ID: string =
  "2026-10-16 14:45:20 555e07ef33f69a0957d24d8e555b702464a131d6f1607f4c3c1e4551e8e6ca76";
