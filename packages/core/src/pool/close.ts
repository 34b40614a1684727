import type { ChangeEvents } from "./changes/change-events.js";
import type { Dispatcher } from "./dispatcher.js";
import type { MemberGroup } from "./member-group.js";
import type { Maintenance } from "./maintenance.js";
import { ConnectionClosedError } from "../errors/errors.js";
import { ErrorReason } from "../errors/rejection.js";
import { within } from "../options/deadline.js";

/** The parts of a pool that closing has to end. */
export interface PoolParts {
  readonly dispatcher: Dispatcher;
  readonly maintenance: Maintenance;
  readonly changes: ChangeEvents;
  readonly readers: MemberGroup;
  readonly writers: MemberGroup;
}

/** Milliseconds to wait for the answers of calls that may be done, such as a COMMIT. */
const ANSWER_MS = 100;

/** Milliseconds to wait for threads that were ended by force. A thread ends only when its native call returns. */
const GRACE_MS = 200;

/** Closes in order, within `timeout` ms; then by force. */
export async function closePool(parts: PoolParts, timeout: number): Promise<void> {
  if (await within(timeout, closeInOrder(parts))) return;
  await within(ANSWER_MS, Promise.all([giveUp(parts.readers), giveUp(parts.writers)]), { ref: false });
  // A native call that does not return keeps its thread alive. close() does not wait for it.
  await within(GRACE_MS, Promise.all([parts.readers.terminate(), parts.writers.terminate()]), { ref: false });
}

/** Takes no further calls, and gives up those under way. Resolves when they are answered. */
async function giveUp(group: MemberGroup): Promise<void> {
  group.close();
  const closed = new ErrorReason(() => new ConnectionClosedError());
  for (const { channel } of group.members) channel.cancelAll(closed);
  await Promise.all(group.members.map(({ channel }) => channel.answered()));
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
