import { availableParallelism } from "node:os";
import { isPrivate, isSharedMemory } from "@sqlite-aio/worker/wire";
import type { Connection } from "../connection/connection.js";
import {
  type ConnectionOptions,
  type ConnectOptions,
  flag,
  integer,
  integerOf,
  requireObject,
  resolveOptions,
  wordOf,
} from "../options/connect-options.js";
import type { MemoryDatabase } from "../options/database-path.js";
import { type Option, type OptionTable, type Resolved, resolveTable } from "../options/option-table.js";

/** Options of {@link createPool}, besides those of {@link connect}. */
export interface PoolOptions extends ConnectOptions {
  /**
   * Maximum number of read-only connections for single calls, opened when first needed; 0: none. Default min(4, max(2,
   * cores - 1)), and up to twice as many while all of them are busy with long statements. Default 0 for an in-memory
   * database, which has no log that lets readers and the writer work at the same time.
   */
  readers?: number | undefined;
  /**
   * Read-only connections that `iterate()`, `read()` and `acquire({ mode: "read" })` may hold at a time, in addition to
   * those for single calls. Default: as many as `readers`, or 8; 0: they use those for single calls.
   */
  readLeases?: number | undefined;
  /** Connections that write. Default 1; with `readers: 0` they also read, as N equal connections. */
  writers?: number | undefined;
  /** Milliseconds that a call may wait for a connection before it rejects with PoolTimeoutError. Default 30000; 0: for ever. */
  acquireTimeout?: number | undefined;
  /**
   * The `timeout` in ms of calls that set none; `timeout: 0` turns it off for one call. It holds for single calls, also
   * on the handles of `transaction()` and `read()`. It does not hold for those as a whole, nor for leased connections.
   * Default 0: never.
   */
  callTimeout?: number | undefined;
  /** Calls that may wait for a connection before a further one rejects with QueueFullError. Default: no limit. */
  maxWaiting?: number | undefined;
  /** Milliseconds after which an idle reader is closed. Default 30000; 0: never. */
  idleTimeout?: number | undefined;
  /** Waiting writes of different callers share a transaction; each is answered after COMMIT. Default true. */
  groupCommit?: boolean | undefined;
  /**
   * Called with each new connection before its first use, also with a replacement after a crash or after a lease that
   * has changed the connection.
   */
  onConnect?: ((connection: Connection) => unknown) | undefined;
  /** Milliseconds after which a lease that is still held gives a process warning. Default 0: never. */
  leakWarning?: number | undefined;
  /** Who checkpoints the write-ahead log: the pool, or another process such as Litestream. Default `"auto"`. */
  checkpoint?: "auto" | "external" | undefined;
  /** Milliseconds between checks for commits of other processes, while somebody listens. Default 200; 0: never. */
  changePollInterval?: number | undefined;
}

/** The options of a pool, apart from those of its connections. */
const POOL = {
  readers: { fallback: undefined, check: count } as Option<number | undefined>,
  readLeases: { fallback: undefined, check: count } as Option<number | undefined>,
  writers: integerOf(1, 1),
  acquireTimeout: integerOf(30_000, 0),
  callTimeout: integerOf(0, 0),
  maxWaiting: integerOf(Number.MAX_SAFE_INTEGER, 0),
  idleTimeout: integerOf(30_000, 0),
  groupCommit: flag(true),
  onConnect: { fallback: undefined, check: checkListener } as Option<PoolOptions["onConnect"]>,
  leakWarning: integerOf(0, 0),
  checkpoint: wordOf<"auto" | "external">("auto", ["auto", "external"]),
  changePollInterval: integerOf(200, 0),
} satisfies OptionTable;

/** Options of a pool, checked and complete. */
export interface ResolvedPoolOptions extends Omit<Resolved<typeof POOL>, "readers" | "readLeases"> {
  readonly connection: ConnectionOptions;
  readonly readers: number;
  /** More readers may be opened while all are busy with long statements. */
  readonly adaptive: boolean;
  readonly readLeases: number;
  /** The file is in WAL mode, so there is a log to checkpoint. */
  readonly wal: boolean;
  /** The database is lost when its connection is closed. */
  readonly memory: boolean;
}

/** Checks what `createPool()` was given. Throws TypeError or RangeError. */
export function resolvePoolOptions(
  database: string | URL | MemoryDatabase,
  options: PoolOptions,
): ResolvedPoolOptions {
  requireObject(options);
  if (options.autocommit !== undefined) {
    throw new TypeError(
      'option "autocommit" goes with connect() only: a pool commits each call, and a connection that acquire() gives can be set',
    );
  }
  const ofConnection = Object.entries(options).filter(([name]) => !Object.hasOwn(POOL, name));
  const connection = resolveOptions(database, Object.fromEntries(ofConnection));
  const { path, readonly } = connection.thread.open;
  const single = isPrivate(path);
  const shared = isSharedMemory(path);
  const { readers, readLeases, ...given } = resolveTable(POOL, options);
  const most = shared ? 0 : Math.min(4, Math.max(2, availableParallelism() - 1));
  return {
    ...given,
    readers: readers ?? most,
    readLeases: readLeases ?? readers ?? 8,
    // Each connection to a private in-memory database has its own database, so there is one.
    ...(single ? { readers: 0, writers: 1 } : {}),
    adaptive: readers === undefined,
    connection,
    wal: !single && !shared && !readonly,
    memory: single || shared,
  };
}

function count(given: unknown, name: string): number {
  return integer(given, name, 0, 0);
}

function checkListener(given: unknown, name: string): PoolOptions["onConnect"] {
  if (typeof given !== "function") throw new TypeError(`option "${name}" must be a function`);
  return given as PoolOptions["onConnect"];
}
