import { Verb } from "@sqlite-aio/worker/wire";
import { ProgrammingError } from "../errors/errors.js";
import { LEGACY_TRANSACTION_CONTROL } from "../options/autocommit.js";
import { closedReason, type Lane } from "./lane.js";
import type { Call } from "../thread/call.js";
import type { Handle } from "./handle.js";

/** Runs `work` after all earlier calls and before all later ones. */
export async function alone<T>(handle: Handle, work: () => Promise<T>): Promise<T> {
  const lane = await handle.lease(undefined);
  try {
    await handle.settle(barrier(handle, lane));
    return await work();
  } finally {
    lane.end();
  }
}

/** Takes no further calls, and ends the thread when earlier calls are done. */
export async function closeAfterAll(handle: Handle): Promise<void> {
  const leasing = handle.root.lease(undefined, true);
  handle.end();
  handle.root.closing();
  const lane = await leasing;
  try {
    // A connection whose thread has answered everything closes one message sooner.
    if (handle.channel.pending > 0) await barrier(handle, lane).promise.catch(() => {});
    if (handle.inTransaction && handle.settings.warnOnRollback) warnOfRollback(handle);
    await handle.channel.close();
  } finally {
    handle.root.end(closedReason);
  }
}

/** A call that is answered after all that were sent before it. */
function barrier(handle: Handle, lane: Lane): Call {
  const call = handle.control(Verb.BARRIER);
  lane.submit(call);
  return call;
}

/** Throws if the handle belongs to a transaction(), which begins and ends by itself. */
export function refuseScoped(handle: Handle, method: string): void {
  if (!handle.scoped) return;
  throw new ProgrammingError(
    `${method}() has no meaning inside transaction(): return to commit, throw to roll back`,
    { code: "SQLITE_MISUSE" },
  );
}

function warnOfRollback({ settings }: Handle): void {
  // With isolationLevel null, or without the legacy mode, the user manages transactions and knows.
  if (settings.isolationLevel === null || settings.autocommit !== LEGACY_TRANSACTION_CONTROL) return;
  const database = settings.database || "a temporary database";
  process.emitWarning(
    `close() rolls back a transaction of ${database} that was not committed: call commit() before, or connect with { warnOnRollback: false }`,
    { code: "SQLITE_AIO_ROLLED_BACK" },
  );
}
