/** `value instanceof type` for values of unknown origin: a revoked proxy throws when its prototype is read. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}
