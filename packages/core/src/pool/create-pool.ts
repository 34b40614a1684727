import { ClusterPool } from "./cluster/cluster-pool.js";
import { isCluster, type RemoteOptions, type ReplicaOptions, resolveCluster } from "./cluster/settings.js";
import type { PoolOptions } from "./options.js";
import { Pool } from "./pool.js";
import type { MemoryDatabase } from "../options/database-path.js";
import { callSiteOf } from "../errors/call-site.js";

/**
 * Opens a pool over a replica: a local file that follows the database of a libsql-server, the primary. The pool reads
 * from the file and writes to the primary.
 *
 * @example
 * await using pool = await createPool("app.db", { engine: "libsql", primary: { url: "http://127.0.0.1:8080" } });
 */
export async function createPool(database: string | URL, options: ReplicaOptions): Promise<ClusterPool>;
/**
 * Opens a pool over a libsql-server, without a local file.
 *
 * @example
 * await using pool = await createPool("http://127.0.0.1:8080", { engine: "libsql" });
 */
export async function createPool(
  database: `${"http" | "https" | "libsql"}://${string}`,
  options: RemoteOptions,
): Promise<ClusterPool>;
/**
 * Opens a pool: by default one writer and several read-only connections to a database in WAL mode. `{ readers: 0,
 * writers: n }` is a plain pool of n equal connections, `{ readers: 0, writers: 1 }` one connection for all.
 *
 * @example
 * await using pool = await createPool("app.db");
 * await pool.run("INSERT INTO note (text) VALUES (?)", ["hello"]);
 * const notes = await pool.all("SELECT id, text FROM note");
 */
export async function createPool(
  database: string | URL | MemoryDatabase,
  options?: PoolOptions,
): Promise<Pool>;
export async function createPool(
  database: string | URL | MemoryDatabase,
  options: PoolOptions | ReplicaOptions | RemoteOptions = {},
): Promise<Pool | ClusterPool> {
  const origin = callSiteOf(createPool);
  if (isCluster(database, options)) {
    return await ClusterPool.open(
      resolveCluster(database as string | URL, options as ReplicaOptions),
      origin,
    );
  }
  return await Pool.open(database, options, origin);
}
