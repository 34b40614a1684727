import type { ObjectRow } from "../connection/handle.js";
import type { Answer } from "../calls/answer.js";

/** Calls `answer` for each row. What a callback throws is the process's affair, and the next row comes all the same. */
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

/** Rows by their first column: the second one if there are two, else the whole row. */
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
