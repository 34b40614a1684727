import { HookListeners } from "../functions/hook-listeners.js";
import type { ConnectionOptions } from "../options/connect-options.js";
import { shownDatabase } from "../options/database-path.js";
import { Row } from "../values/row.js";
import type { RowSettings } from "../values/row-maker.js";
import type { Settings } from "./handle.js";

/** Rows that a pool's `iterate` fetches at a time: a full packet, which the thread packs in about a millisecond. */
const POOL_CHUNK = 2048;

/**
 * The settings of a handle: of `connect()`, of a connection that a pool lends, or of the pool's own calls, which may
 * take `callTimeout` ms each.
 */
export function settingsFor(
  options: ConnectionOptions,
  kind: "connection" | "lease" | "pool",
  callTimeout = 0,
): Settings {
  const { path, integers, readonly } = options.thread.open;
  const settings: Settings = {
    isolationLevel: options.isolationLevel,
    autocommit: options.autocommit,
    rowFactory: null,
    textFactory: String,
    detectTypes: options.detectTypes,
    integers,
    iterChunkSize: options.iterChunkSize,
    maxQueue: options.maxQueue,
    database: shownDatabase(path),
    slowQueryMs: options.slowQueryMs,
    callTimeout: 0,
    // The transaction of a refused write holds nothing that could be lost.
    warnOnRollback: options.warnOnRollback && !readonly,
    lasting: true,
    hooks: new HookListeners(integers),
    interrupts: 0,
  };
  if (kind === "connection") return settings;
  // The pool itself counts the calls that wait for its connections.
  const pooled = { ...settings, maxQueue: Number.MAX_SAFE_INTEGER, lasting: false };
  if (kind === "lease") return pooled;
  return { ...pooled, isolationLevel: null, rowFactory: Row, iterChunkSize: POOL_CHUNK, callTimeout };
}

/** How a pool builds the rows of its own calls. */
export function rowsAsObjects({ detectTypes, thread }: ConnectionOptions): RowSettings {
  return { rowFactory: Row, textFactory: String, detectTypes, integers: thread.open.integers };
}
