import type { Cursor } from "./cursor.js";
import { RowIterator } from "./row-iterator.js";
import type { AnyRow } from "../values/row-maker.js";

/** A promise for a cursor that can also be iterated at once. */
export type PendingCursor = Promise<Cursor> & AsyncIterable<AnyRow>;

/** Lets a promise for a cursor be iterated. */
export function iterable(opening: Promise<Cursor>, signal: AbortSignal | undefined): PendingCursor {
  const pending = opening as PendingCursor;
  pending[Symbol.asyncIterator] = signal === undefined ? iteratePending : () => rowsOf(pending, signal);
  return pending;
}

function iteratePending(this: Promise<Cursor>): AsyncIterableIterator<AnyRow> {
  return rowsOf(this);
}

function rowsOf(pending: Promise<Cursor>, signal?: AbortSignal): AsyncIterableIterator<AnyRow> {
  return new RowIterator(
    () => pending,
    (cursor) => cursor[Symbol.asyncDispose](),
    signal,
  );
}
