import { isPrivate, isSharedMemory } from "@sqlite-aio/worker/wire";
import { checkOptions, integerOf } from "../../options/connect-options.js";
import { resolveDatabase } from "../../options/database-path.js";
import { type OptionTable, type Resolved, resolveTable } from "../../options/option-table.js";
import type { PoolOptions } from "../options.js";

/** A database to open, with the arguments of `createPool()`. */
export interface PoolsDatabase {
  /** The file. A relative path starts at the working directory of the time when `createPools()` was called. */
  database: string | URL;
  /** Options of its pool. Each connection is a thread; `{ readers: 0 }` needs only one. */
  options?: PoolOptions | undefined;
}

/** Options of `createPools()`. */
export interface PoolsOptions<K = string> {
  /** Says which database belongs to a key, and how to open it. Called each time it is opened. */
  open: (key: K) => PoolsDatabase | Promise<PoolsDatabase>;
  /** Maximum number of open databases. Default 64. */
  max?: number | undefined;
  /** Milliseconds after which an unused database is closed. Default 30000; 0: never. */
  idleTimeout?: number | undefined;
  /**
   * Milliseconds that a use may wait for others before it rejects with PoolTimeoutError. Default 30000; 0: no limit.
   */
  acquireTimeout?: number | undefined;
}

const POOLS = {
  max: integerOf(64, 1),
  idleTimeout: integerOf(30_000, 0),
  acquireTimeout: integerOf(30_000, 0),
} satisfies OptionTable;

/** Options of a {@link Pools}, checked and complete. */
export interface ResolvedPoolsOptions<K> extends Resolved<typeof POOLS> {
  readonly open: (key: K) => PoolsDatabase | Promise<PoolsDatabase>;
  /** The folder of relative paths, fixed at the start. */
  readonly folder: string;
}

/** Checks what `createPools()` was given. Throws TypeError or RangeError. */
export function resolvePoolsOptions<K>(options: PoolsOptions<K>): ResolvedPoolsOptions<K> {
  const { open } = checkOptions(options, ["open", ...Object.keys(POOLS)]);
  if (typeof open !== "function") throw new TypeError('option "open" must be a function');
  return { open, ...resolveTable(POOLS, options), folder: process.cwd() };
}

/** Checks what `open()` gave, and resolves a relative path in `folder`. Throws TypeError. */
export function checkDatabase(given: PoolsDatabase, folder: string): PoolsDatabase {
  if (typeof given !== "object" || given === null)
    throw new TypeError('option "open" must give an object { database, options }');
  const { database, options } = checkOptions(given, ["database", "options"]);
  const path = resolveDatabase(database, folder);
  if (isPrivate(path) || isSharedMemory(path))
    throw new TypeError(
      'option "open" gave a database without a file, which would be lost when it is closed',
    );
  // The URL of a primary is no path.
  return { database: typeof database === "string" && !/^\w+:\/\//.test(database) ? path : database, options };
}
