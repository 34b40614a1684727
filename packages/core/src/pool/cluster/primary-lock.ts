import { OperationalError } from "../../errors/errors.js";
import type { Primary } from "./primary.js";
import { newIdentity } from "./primary-guard.js";
import type { RemoteStatement } from "./remote-values.js";

/** A lock expires this many seconds after its owner's last renewal; the owner renews it every so many ms. */
const LEASE_S = 15;
const RENEW_MS = 5000;
/** Milliseconds between two attempts to take the lock. */
const RETRY_MS = 200;

const CREATE: RemoteStatement = [
  "CREATE TABLE IF NOT EXISTS _sqlite_aio_lock (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)",
  [],
];
const NOW = "(julianday('now') - 2440587.5) * 86400.0";

/**
 * A lock between machines: a row at the primary. A transaction would not do, because the primary ends transactions that
 * hold SQLite's lock for long. The lock expires some seconds after its owner dies. Rejects with SQLITE_BUSY after
 * `timeout` ms.
 */
export async function lockPrimary(
  primary: Primary,
  name: string,
  timeout: number,
): Promise<() => Promise<void>> {
  const owner = newIdentity();
  const take: RemoteStatement = [
    `INSERT INTO _sqlite_aio_lock VALUES (?1, ?2, ${NOW} + ${LEASE_S})
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
     WHERE owner = excluded.owner OR until < ${NOW}`,
    [name, owner],
  ];
  const end = performance.now() + timeout;
  for (;;) {
    const [, taken] = await primary.batch([CREATE, take]);
    if (taken!.changes > 0) break;
    if (performance.now() >= end) {
      throw new OperationalError(`another machine holds the lock "${name}" for more than ${timeout} ms`, {
        code: "SQLITE_BUSY",
      });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
    });
  }
  // If a renewal fails, the next one makes up for it.
  const renew = setInterval(() => void primary.execute(take, "write").catch(() => {}), RENEW_MS);
  renew.unref();
  return async () => {
    clearInterval(renew);
    await primary.execute(
      ["DELETE FROM _sqlite_aio_lock WHERE name = ?1 AND owner = ?2", [name, owner]],
      "write",
    );
  };
}
