import { queryChannel, type QueryEvent } from "@sqlite-aio/core/diagnostics";

/** Called after a statement with its text and its milliseconds in the thread. */
export type Profile = (sql: string, ms: number) => void;

/** The sender of the present statement: the channel reports all connections of the process. */
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

/** Measures statements until the returned function is called. */
export function startProfiling(): () => void {
  if (users++ === 0) queryChannel.subscribe(subscriber);
  return () => {
    if (--users === 0) queryChannel.unsubscribe(subscriber);
  };
}

/** Sends a statement with `send`, and calls `profile` afterwards. */
export function profiled<T>(profile: Profile, send: () => T): T {
  sender = profile;
  try {
    return send();
  } finally {
    sender = null;
  }
}
