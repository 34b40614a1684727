/**
 * `value instanceof type`, for what somebody else's code threw or gave as a reason: a revoked proxy throws when it is
 * asked for its prototype.
 */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}
