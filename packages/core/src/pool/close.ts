import type { ChangeEvents } from "./changes/change-events.js";
import type { Dispatcher } from "./dispatcher.js";
import type { MemberGroup } from "./member-group.js";
import type { Maintenance } from "./maintenance.js";

/** The parts of a pool that closing has to end. */
export interface PoolParts {
  readonly dispatcher: Dispatcher;
  readonly maintenance: Maintenance;
  readonly changes: ChangeEvents;
  readonly readers: MemberGroup;
  readonly writers: MemberGroup;
}

/** Milliseconds to wait for threads that were ended by force. A thread ends only when its native call returns. */
const GRACE_MS = 200;

/** Closes in order, within `timeout` ms; then by force. */
export async function closePool(parts: PoolParts, timeout: number): Promise<void> {
  const timer = Promise.withResolvers<"late">();
  const handle = setTimeout(() => timer.resolve("late"), timeout);
  const orderly = closeInOrder(parts);
  try {
    if ((await Promise.race([orderly, timer.promise])) !== "late") return;
  } finally {
    clearTimeout(handle);
  }
  const ended = Promise.all([parts.readers.terminate(), parts.writers.terminate()]);
  // A native call that does not return keeps its thread alive. close() does not wait for it.
  const grace = Promise.withResolvers<void>();
  const patience = setTimeout(grace.resolve, GRACE_MS).unref();
  await Promise.race([ended, grace.promise]);
  clearTimeout(patience);
}

async function closeInOrder({
  dispatcher,
  maintenance,
  changes,
  readers,
  writers,
}: PoolParts): Promise<void> {
  maintenance.stop();
  changes.close();
  await dispatcher.close();
  for (const group of [readers, writers]) {
    group.close();
    await group.opened();
  }
  await maintenance.stopped();
  if (readers !== writers) await readers.end((member) => member.close());
  await writers.end((member) => member.close(maintenance.checkpoints));
}
