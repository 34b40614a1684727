import { CallbackFailure } from "../thread/callbacks.js";

/** Tells the order of two texts: below zero, zero, or above, as for `Array.prototype.sort()`. */
export type Collation = (left: string, right: string) => number;

/** As in CPython what it throws fails the statement, and what is no number counts as equal; here it gives a warning as well. */
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
