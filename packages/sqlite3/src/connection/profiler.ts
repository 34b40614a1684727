import { queryChannel, type QueryEvent } from "@sqlite-aio/core/diagnostics";

/** Told of a statement that is over: its text, and the milliseconds that it ran in the thread. */
export type Profile = (sql: string, ms: number) => void;

/** Whose statement is being sent: the channel tells of all connections of the process. */
let sender: Profile | null = null;
const senders = new WeakMap<QueryEvent, Profile>();
let users = 0;

const nothing = (): void => {};
const subscriber = {
  start(event: QueryEvent): void {
    if (sender !== null) senders.set(event, sender);
  },
  asyncEnd(event: QueryEvent): void {
    senders.get(event)?.(event.sql, event.execMs ?? 0);
  },
  end: nothing,
  asyncStart: nothing,
  error: nothing,
};

/** Measures statements until the function that it gives is called. */
export function startProfiling(): () => void {
  if (users++ === 0) queryChannel.subscribe(subscriber);
  return () => {
    if (--users === 0) queryChannel.unsubscribe(subscriber);
  };
}

/** Sends a statement by `send`, and tells `profile` when it is over. */
export function profiled<T>(profile: Profile, send: () => T): T {
  sender = profile;
  try {
    return send();
  } finally {
    sender = null;
  }
}
