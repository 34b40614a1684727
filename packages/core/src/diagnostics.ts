/**
 * What statements, transactions and waits for a connection tell to those who trace.
 *
 * @module @sqlite-aio/core/diagnostics
 */
import { queryChannel, type QueryEvent, tracing } from "./tracing/channels.js";

export {
  acquireChannel,
  type AcquireEvent,
  queryChannel,
  type QueryEvent,
  transactionChannel,
  type TransactionEvent,
} from "./tracing/channels.js";

/**
 * Calls `listener` with each statement that is over, whether it succeeded or has an `error`. Gives a way to stop.
 *
 * @example
 * const stop = onQuery(({ sql, queueMs, execMs }) => console.log(sql, queueMs, execMs));
 */
export function onQuery(listener: (event: QueryEvent) => void): () => void {
  const ended = (event: unknown): void => listener(event as QueryEvent);
  queryChannel.asyncEnd.subscribe(ended);
  return () => {
    queryChannel.asyncEnd.unsubscribe(ended);
  };
}

/**
 * Whether events tell the parameters of statements, in the whole process. Off unless this turns it on: they are the data,
 * and traces go to places that the data should not.
 */
export function showParameters(on: boolean): void {
  tracing.parameters = on;
}
