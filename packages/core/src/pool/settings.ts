import type { OpenOptions } from "@sqlite-aio/worker/wire";
import type { ResolvedPoolOptions } from "./options.js";
import { Row } from "../values/row.js";
import { LEGACY_TRANSACTION_CONTROL } from "../options/autocommit.js";
import { HookListeners } from "../functions/hook-listeners.js";
import type { Settings } from "../connection/handle.js";

/** What the calls of the pool itself, or those of a lease, have in common. */
export function settingsOf(options: ResolvedPoolOptions, kind: "pool" | "mirror"): Settings {
  const { connection } = options;
  return {
    autocommit: LEGACY_TRANSACTION_CONTROL,
    isolationLevel: kind === "pool" ? null : connection.isolationLevel,
    rowFactory: kind === "pool" ? Row : null,
    textFactory: String,
    detectTypes: connection.detectTypes,
    integers: connection.thread.open.integers,
    iterChunkSize: kind === "pool" ? POOL_CHUNK : connection.iterChunkSize,
    maxQueue: Number.MAX_SAFE_INTEGER,
    database: connection.thread.open.path,
    slowQueryMs: connection.slowQueryMs,
    callTimeout: kind === "pool" ? options.callTimeout : 0,
    warnOnRollback: connection.warnOnRollback,
    lasting: false,
    hooks: new HookListeners(connection.thread.open.integers),
    interrupts: 0,
  };
}

/** Rows that `iterate` fetches at a time: a full packet, which the loop builds in about a millisecond. */
const POOL_CHUNK = 2048;

/** The log may grow to this many bytes between checkpoints without keeping the space afterwards. */
const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;

/** How a connection of the pool is opened. */
export function openOptions(role: "reader" | "writer", options: ResolvedPoolOptions): OpenOptions {
  const { open } = options.connection.thread;
  const pragmas: [string, string][] = [];
  if (options.wal && role === "writer") {
    pragmas.push(["journal_mode", "'wal'"], ["journal_size_limit", String(JOURNAL_SIZE_LIMIT)]);
    if (options.checkpoint === "external") pragmas.push(["wal_autocheckpoint", "0"]);
  }
  pragmas.push(...(open.pragmas as [string, string][]));
  const pooled = { ...open, pooled: true, pragmas };
  return role === "reader" ? { ...pooled, readonly: true, queryOnly: true } : pooled;
}
