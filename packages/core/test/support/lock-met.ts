import { once } from "node:events";

/** A setup module for connections whose waits for locks a test hears of by {@link lockMet}. */
export const tellsOfLocks = new URL("../fixtures/tells-of-locks.mjs", import.meta.url);

/** Resolves when a thread has met a lock of the file at `path` that it waits for, so many times from now on. */
export async function lockMet(path: string, times = 1): Promise<void> {
  const channel = new BroadcastChannel(path);
  try {
    for (let met = 0; met < times; met++) await once(channel, "message");
  } finally {
    channel.close();
  }
}
