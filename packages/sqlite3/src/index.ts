import { Backup } from "./backup/backup.js";
import { cached } from "./database/cached.js";
import { Database } from "./database/database.js";
import * as limits from "./constants/limits.js";
import * as openFlags from "./constants/open-flags.js";
import * as resultCodes from "./constants/result-codes.js";
import * as version from "./constants/version.js";
import type * as api from "./declarations/sqlite3.js";
import { Statement } from "./statement/statement.js";
import { traceCalls } from "./verbose.js";

const sqlite3: typeof api = {
  ...openFlags,
  ...resultCodes,
  ...limits,
  ...version,
  Database,
  Statement,
  Backup,
  cached,
  verbose() {
    traceCalls();
    // sqlite3's declaration has an instance property that never existed.
    return sqlite3 as unknown as api.sqlite3;
  },
};

// Never executed: Node reads the names for `import { Database }` from this.
if (false as boolean) {
  // oxlint-disable-next-line import/no-commonjs
  module.exports = {
    OPEN_READONLY: null,
    OPEN_READWRITE: null,
    OPEN_CREATE: null,
    OPEN_FULLMUTEX: null,
    OPEN_SHAREDCACHE: null,
    OPEN_PRIVATECACHE: null,
    OPEN_URI: null,
    VERSION: null,
    SOURCE_ID: null,
    VERSION_NUMBER: null,
    OK: null,
    ERROR: null,
    INTERNAL: null,
    PERM: null,
    ABORT: null,
    BUSY: null,
    LOCKED: null,
    NOMEM: null,
    READONLY: null,
    INTERRUPT: null,
    IOERR: null,
    CORRUPT: null,
    NOTFOUND: null,
    FULL: null,
    CANTOPEN: null,
    PROTOCOL: null,
    EMPTY: null,
    SCHEMA: null,
    TOOBIG: null,
    CONSTRAINT: null,
    MISMATCH: null,
    MISUSE: null,
    NOLFS: null,
    AUTH: null,
    FORMAT: null,
    RANGE: null,
    NOTADB: null,
    LIMIT_LENGTH: null,
    LIMIT_SQL_LENGTH: null,
    LIMIT_COLUMN: null,
    LIMIT_EXPR_DEPTH: null,
    LIMIT_COMPOUND_SELECT: null,
    LIMIT_VDBE_OP: null,
    LIMIT_FUNCTION_ARG: null,
    LIMIT_ATTACHED: null,
    LIMIT_LIKE_PATTERN_LENGTH: null,
    LIMIT_VARIABLE_NUMBER: null,
    LIMIT_TRIGGER_DEPTH: null,
    LIMIT_WORKER_THREADS: null,
    Database: null,
    Statement: null,
    Backup: null,
    cached: null,
    verbose: null,
  };
}

export = sqlite3;
