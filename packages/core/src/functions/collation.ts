import { messageOf } from "@sqlite-aio/worker/wire";

/** Tells the order of two texts: below zero, zero, or above, as for `Array.prototype.sort()`. */
export type Collation = (left: string, right: string) => number;

/** As in CPython a comparison that fails counts as equal; here it gives a warning as well. */
export function collationClosure(
  name: string,
  collation: Collation,
): (left: string, right: string) => number {
  return (left, right) => {
    try {
      const order: unknown = collation(left, right);
      if (typeof order === "number" || typeof order === "bigint") return Math.sign(Number(order)) || 0;
      throw new TypeError("a collation must return a number");
    } catch (error) {
      process.emitWarning(`the collation "${name}" threw: ${messageOf(error)}`, {
        code: "SQLITE_AIO_COLLATION",
      });
      return 0;
    }
  };
}
