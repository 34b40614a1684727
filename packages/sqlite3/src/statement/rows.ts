import type { ObjectRow } from "../connection/handle.js";
import type { Answer } from "../calls/answer.js";

/** Calls `answer` for each row. If a callback throws, it is an uncaught exception, and the next row still comes. */
export function eachRow(self: unknown, answer: Answer | null, rows: readonly ObjectRow[]): void {
  answer?.many((callback) => {
    for (const row of rows) {
      try {
        callback.call(self, null, row);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  });
}

/** Maps the first column to the second one if there are two columns, else to the whole row. */
export function mapOf(rows: readonly ObjectRow[]): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  const [first] = rows;
  if (first === undefined) return map;
  const [key = "", value = "", more] = Object.keys(first);
  for (const row of rows) {
    // An assignment to __proto__ would set the prototype.
    Object.defineProperty(map, String(row[key]), {
      value: more === undefined ? row[value] : row,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return map;
}
