import { isPrivate, isSharedMemory } from "@sqlite-aio/worker/wire";
import { checkOptions, integerOf } from "../../options/connect-options.js";
import { resolveDatabase } from "../../options/database-path.js";
import { type OptionTable, type Resolved, resolveTable } from "../../options/option-table.js";
import type { PoolOptions } from "../options.js";

/** A database to be opened, as `createPool()` takes it. */
export interface PoolsDatabase {
  /** The file; a relative path begins in the folder that the process was in when `createPools()` was called. */
  database: string | URL;
  /** Options of its pool. Each connection of it is a thread: `{ readers: 0 }` makes do with one. */
  options?: PoolOptions | undefined;
}

/** Options of `createPools()`. */
export interface PoolsOptions<K = string> {
  /** Says which database belongs to a key, and how it is opened; called whenever it is to be opened. */
  open: (key: K) => PoolsDatabase | Promise<PoolsDatabase>;
  /** Databases that are open at a time at the most. Default 64. */
  max?: number | undefined;
  /** Milliseconds after which a database that nobody has used is closed. Default 30000; 0: never. */
  idleTimeout?: number | undefined;
  /** Milliseconds that a use may wait for others to end before it rejects with PoolTimeoutError. Default 30000; 0: for ever. */
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
  /** Where relative paths begin, whenever a database is opened. */
  readonly folder: string;
}

/** Checks what `createPools()` was given. Throws TypeError or RangeError. */
export function resolvePoolsOptions<K>(options: PoolsOptions<K>): ResolvedPoolsOptions<K> {
  const { open } = checkOptions(options, ["open", ...Object.keys(POOLS)]);
  if (typeof open !== "function") throw new TypeError('option "open" must be a function');
  return { open, ...resolveTable(POOLS, options), folder: process.cwd() };
}

/** What `open()` gave, a relative path in `folder`. Throws TypeError. */
export function checkDatabase(given: PoolsDatabase, folder: string): PoolsDatabase {
  if (typeof given !== "object" || given === null)
    throw new TypeError('option "open" must give an object { database, options }');
  const { database, options } = checkOptions(given, ["database", "options"]);
  const path = resolveDatabase(database, folder);
  if (isPrivate(path) || isSharedMemory(path))
    throw new TypeError(
      'option "open" gave a database without a file, which would be lost when it is closed',
    );
  // The name of a primary is no path.
  return { database: typeof database === "string" && !/^\w+:\/\//.test(database) ? path : database, options };
}
