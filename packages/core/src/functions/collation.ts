import { CallbackFailure } from "../thread/callbacks.js";

/** Compares two texts: negative, zero or positive, as for `Array.prototype.sort()`. */
export type Collation = (left: string, right: string) => number;

/**
 * As in CPython, an exception of the collation fails the statement, and a result that is no number counts as equal. Here
 * such a result also gives a warning.
 */
export function collationClosure(
  name: string,
  collation: Collation,
): (left: string, right: string) => number {
  return (left, right) => {
    let order: unknown;
    try {
      order = collation(left, right);
    } catch (error) {
      throw new CallbackFailure("user-defined collation raised exception", error);
    }
    if (typeof order === "number" || typeof order === "bigint") return Math.sign(Number(order)) || 0;
    process.emitWarning(`the collation "${name}" gave no number`, { code: "SQLITE_AIO_COLLATION" });
    return 0;
  };
}
