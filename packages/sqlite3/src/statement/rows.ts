import type { ObjectRow } from "../connection/handle.js";
import type { Answer } from "../calls/answer.js";

/**
 * Calls `answer` for each row. If a callback throws, it is an uncaught exception, and the next row comes after that.
 * The result is a promise only then.
 */
export function eachRow(
  self: unknown,
  answer: Answer | null,
  rows: readonly ObjectRow[],
): Promise<void> | undefined {
  if (answer === null) return undefined;
  let next = 0;
  const toTheEnd = (): Promise<void> | undefined => {
    try {
      answer.many((callback) => {
        while (next < rows.length) callback.call(self, null, rows[next++]);
      });
      return undefined;
    } catch (error) {
      return uncaught(error).then(toTheEnd);
    }
  };
  return toTheEnd();
}

/** Makes an error an uncaught exception. The promise resolves when its listeners have returned. */
function uncaught(error: unknown): Promise<void> {
  return new Promise((resolve) => {
    queueMicrotask(() => {
      queueMicrotask(resolve);
      throw error;
    });
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
