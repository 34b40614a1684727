import type { Cursor } from "./cursor.js";
import { RowIterator } from "./row-iterator.js";
import type { LoopRow } from "../values/row-maker.js";

/** A promise for a cursor; it can also be iterated without awaiting it. */
export type PendingCursor = Promise<Cursor> & AsyncIterable<LoopRow>;

/** Makes the promise for a cursor iterable. */
export function iterable(
  opening: Promise<Cursor>,
  cursor: Cursor,
  signal: AbortSignal | undefined,
): PendingCursor {
  const rows = (): AsyncIterableIterator<LoopRow> => rowsOf(opening, cursor, signal);
  return Object.assign(opening, { [Symbol.asyncIterator]: rows });
}

/** The rows of a cursor that is being opened. The cursor is closed at the end. */
function rowsOf(
  opening: Promise<Cursor>,
  cursor: Cursor,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<LoopRow> {
  return new RowIterator(
    {
      begun: true,
      open: () => opening,
      giveUp: (reason) => cursor.giveUp(reason),
      close: async (opened) => await opened?.[Symbol.asyncDispose](),
    },
    signal,
  );
}
