/**
 * Diagnostics channels for statements, transactions and waits for a connection.
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
 * Calls `listener` after each statement, whether it succeeded or failed (`error`). Returns a function that stops it.
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
 * Whether events contain the parameters of statements, in the whole process. Off by default: parameters are user data,
 * and traces go to places where user data should not go.
 */
export function showParameters(on: boolean): void {
  tracing.parameters = on;
}
