import { existsSync } from "node:fs";
import { IntegrityError, OperationalError } from "../../errors/errors.js";
import { isInstance } from "../../errors/is-instance.js";
import { Deadline } from "../../options/deadline.js";
import { Pool } from "../pool.js";
import type { Primary } from "./primary.js";
import { IDENTITY_QUERY } from "./primary-guard.js";
import { isNoSuchTable } from "./remote-errors.js";
import { ReplicaChanges } from "./replica-changes.js";
import { Replicator } from "./replicator.js";
import type { ClusterSettings, ReplicaSettings } from "./settings.js";

/** A copy of the primary's database in a local file, the pool that reads it, and the replicator that updates it. */
export class Replica {
  readonly pool: Pool;
  readonly replicator: Replicator;
  readonly changes: ReplicaChanges;
  readonly #readYourWrites: boolean;

  private constructor(
    pool: Pool,
    replicator: Replicator,
    changes: ReplicaChanges,
    { readYourWrites }: ReplicaSettings,
  ) {
    this.pool = pool;
    this.replicator = replicator;
    this.changes = changes;
    this.#readYourWrites = readYourWrites;
  }

  /** Rejects if there is no replica yet and the primary cannot be reached, or if it is another primary. */
  static async open(settings: ClusterSettings, replica: ReplicaSettings, primary: Primary): Promise<Replica> {
    const { path } = replica;
    const { thread, signal } = settings.connection;
    const changes = new ReplicaChanges();
    let pool: Pool | null = null;
    const { url, authToken = "", timeout } = settings.primary;
    const replicator = await Replicator.start({
      thread,
      spec: { path, engine: thread.open.engine, url: url.href.replace(/\/$/, ""), authToken },
      interval: replica.syncInterval,
      timeout,
      host: url.host,
      verify: () => verify(pool, primary, settings),
      arrived: () => changes.arrived(),
    });
    try {
      const deadline = new Deadline({ signal });
      const isNew = !existsSync(path);
      if (!isNew) pool = await Pool.open(path, replica.options, {});
      try {
        // The first sync copies the whole database, and may take long.
        await replicator.sync(deadline, isNew ? 0 : timeout);
      } catch (error) {
        if (isNew || deadline.over || isFinal(error)) throw error;
      }
      pool ??= await Pool.open(path, replica.options, {});
      return new Replica(pool, replicator, changes, replica);
    } catch (error) {
      await pool?.close();
      await replicator.close();
      throw error;
    }
  }

  /** Call it after a write. Resolves when the replica has the write, if `readYourWrites` is on. */
  async caughtUp(): Promise<void> {
    if (this.#readYourWrites) await this.replicator.caughtUp();
  }

  /** Syncs after a constraint error, so that the next read finds the row that caused it. */
  async seeReason(reason: unknown): Promise<void> {
    if (!this.#readYourWrites || !isInstance(reason, IntegrityError)) return;
    try {
      await this.replicator.sync();
    } catch {
      // The caller gets the write's error.
    }
  }

  async close(timeout: number): Promise<void> {
    this.changes.close();
    await this.pool.close({ timeout });
    await this.replicator.close();
  }
}

/** Makes sure that the primary can be reached and is the one that the replica was copied from. */
async function verify(
  pool: Pool | null,
  primary: Primary,
  { name, primary: { url }, readonly }: ClusterSettings,
): Promise<void> {
  const known = pool === null ? null : await identityIn(pool);
  const found = await primary.identity();
  if (known === null) {
    if (found === null && !readonly) await primary.identify();
    return;
  }
  primary.expect(known);
  if (found === known) return;
  throw new OperationalError(
    `the primary at ${url.host} is not the one that ${name} is a replica of: if that is meant, remove ${name} and ${name}-client_wal_index`,
    { code: "SQLITE_AIO_PRIMARY_REPLACED" },
  );
}

async function identityIn(pool: Pool): Promise<string | null> {
  try {
    const row = await pool.get<{ id: unknown }>(IDENTITY_QUERY);
    return typeof row?.id === "string" ? row.id : null;
  } catch (error) {
    if (isNoSuchTable(error)) return null;
    throw error;
  }
}

/** Whether a retry would fail, too. */
function isFinal(error: unknown): boolean {
  const code: unknown = Reflect.get(Object(error), "code");
  return code === "SQLITE_AIO_PRIMARY_REPLACED" || code === "SQLITE_AIO_PRIMARY_UNAUTHORIZED";
}
